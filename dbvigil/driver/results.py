"""Reads the answer to one statement: columns, then rows as tuples of Python values.

asyncmy's own reader of columns believes every length that a server states, beyond the end of the packet. Here
columns are parsed with bounds; rows go through asyncmy's fast parser as far as it is safe, see `_rows`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from asyncmy.constants import FIELD_TYPE, SERVER_STATUS
from asyncmy.converters import convert_date, convert_datetime, convert_timedelta
from asyncmy.protocol import MysqlPacket, parse_rows_from_buffer

Row = tuple[Any, ...]
# What asyncmy's parser wants of a column: how to decode (0 bytes, 1 UTF-8), the encoding, a function
Converter = tuple[int, str | None, Callable[[bytes], Any] | None]

_MOST_COLUMNS = 4096
_BINARY = 63
_LENGTH_OF_EIGHT_BYTES = 0xFE
_WIDTHS = {0xFC: 2, 0xFD: 3, _LENGTH_OF_EIGHT_BYTES: 8}


class ProtocolError(Exception):
    """The server's bytes are not an answer."""


class Stream(Protocol):
    """The part of asyncmy's connection that is read here."""

    _proto: Any
    _next_seq_id: int
    _deprecate_eof: bool
    server_status: int

    async def read_packet(self) -> MysqlPacket: ...


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one answer; `lenient` decodes text that is not quite UTF-8."""

    names: tuple[str, ...]
    strict: tuple[Converter, ...]
    lenient: tuple[Converter, ...]


async def read(stream: Stream) -> tuple[tuple[str, ...], list[Row]]:
    """The names and rows of the first result; further ones (of a procedure) are read and dropped."""
    first: tuple[tuple[str, ...], list[Row]] | None = None
    while first is None or stream.server_status & SERVER_STATUS.SERVER_MORE_RESULTS_EXISTS:
        result = await _read_one(stream)
        first = first or result
    return first


async def _read_one(stream: Stream) -> tuple[tuple[str, ...], list[Row]]:
    payload: bytes = (await stream.read_packet()).get_all_data()
    if payload[:1] == b"\x00":
        stream.server_status = _status_of_ok(payload)
        return (), []
    if payload[:1] == b"\xfb":
        raise ProtocolError("it asks for a file of this machine (LOAD DATA LOCAL)")
    count, end = _length(payload, 0)
    if not 0 < count <= _MOST_COLUMNS or end != len(payload):
        raise ProtocolError("its answer is none")
    columns = _columns(tuple([(await stream.read_packet()).get_all_data() for _ in range(count)]))
    if not stream._deprecate_eof:
        await stream.read_packet()
    return columns.names, await _rows(stream, columns)


async def _rows(stream: Stream, columns: Columns) -> list[Row]:
    """asyncmy's parser runs ahead of the packets that have a byte 0xFE in them; those are checked one by one.

    The one length that it would follow out of the buffer, or below zero, is that of eight bytes, which 0xFE
    announces. No UTF-8 text has that byte, so it is seldom met: in a length or number of a packet.
    """
    rows: list[Row] = []
    state = stream._proto
    while True:
        safe = state.buffer.find(_LENGTH_OF_EIGHT_BYTES, state.pos, state.length)
        limit = state.length if safe < 0 else safe
        if limit - state.pos > 4:
            before = len(rows)
            place = (state.buffer, state.pos, limit)
            sequence, eof = stream._next_seq_id, stream._deprecate_eof
            try:
                after = parse_rows_from_buffer(*place, columns.strict, sequence, rows, eof)
            except UnicodeDecodeError:
                del rows[before:]
                after = parse_rows_from_buffer(*place, columns.lenient, sequence, rows, eof)
            state.pos, stream._next_seq_id = after
        packet = await stream.read_packet()
        payload: bytes = packet.get_all_data()
        if payload[:1] == b"\xfe" and len(payload) < 0xFFFFFF:
            status = _status_of_ok(payload) if stream._deprecate_eof else _status_of_eof(payload)
            stream.server_status = status
            return rows
        _check_row(payload, len(columns.names))
        rows.append(packet.read_row(columns.lenient))


def _check_row(payload: bytes, values: int) -> None:
    position = 0
    for _ in range(values):
        if payload[position : position + 1] == b"\xfb":
            position += 1
            continue
        length, position = _length(payload, position)
        position += length
    if position != len(payload):
        raise ProtocolError("a row of its answer is broken")


# -- columns

_known: dict[tuple[bytes, ...], Columns] = {}
_MOST_KNOWN = 1024


def _columns(definitions: tuple[bytes, ...]) -> Columns:
    """A monitor asks the same again and again, so its answers' columns are parsed once."""
    columns = _known.get(definitions)
    if columns is None:
        parsed = [_column(definition) for definition in definitions]
        columns = Columns(
            names=tuple(name for name, _ in parsed),
            strict=tuple(converter for _, converter in parsed),
            lenient=tuple((0, None, _text) if code else (code, None, make) for _, (code, _, make) in parsed),
        )
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[definitions] = columns
    return columns


def _column(definition: bytes) -> tuple[str, Converter]:
    position = 0
    texts: list[bytes] = []
    for _ in ("catalog", "schema", "table", "original table", "name", "original name"):
        length, position = _length(definition, position)
        texts.append(definition[position : position + length])
        position += length
    fixed = definition[position : position + 13]
    if len(fixed) != 13:
        raise ProtocolError("a column of its answer is broken")
    charset, kind = int.from_bytes(fixed[1:3], "little"), fixed[7]
    return _text(texts[4]), _converter(kind, charset)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _number(value: bytes) -> int | float:
    try:
        return int(value)
    except ValueError:
        return float(value)


def _bits(value: bytes) -> int:
    return int.from_bytes(value, "big")


_MAKERS: dict[int, Callable[[bytes], Any]] = {
    **dict.fromkeys(
        (
            FIELD_TYPE.TINY,
            FIELD_TYPE.SHORT,
            FIELD_TYPE.LONG,
            FIELD_TYPE.LONGLONG,
            FIELD_TYPE.INT24,
            FIELD_TYPE.YEAR,
        ),
        int,
    ),
    **dict.fromkeys((FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE), float),
    **dict.fromkeys((FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL), _number),
    **dict.fromkeys((FIELD_TYPE.TIMESTAMP, FIELD_TYPE.DATETIME), convert_datetime),
    FIELD_TYPE.DATE: convert_date,
    FIELD_TYPE.TIME: convert_timedelta,
    FIELD_TYPE.BIT: _bits,
}


def _converter(kind: int, charset: int) -> Converter:
    make = _MAKERS.get(kind)
    if make is not None:
        return 0, None, make
    if charset == _BINARY and kind != FIELD_TYPE.JSON:
        # Servers call some of their own texts binary; a true binary value is readable enough this way.
        return 0, None, _text
    return 1, "utf8", None


# -- pieces of packets


def _length(payload: bytes, position: int) -> tuple[int, int]:
    """The length-encoded integer at `position`, which fits the payload, and where it ends."""
    if position >= len(payload):
        raise ProtocolError("its answer ends too early")
    first = payload[position]
    if first < 0xFB:
        return first, position + 1
    end = position + 1 + _WIDTHS.get(first, len(payload))
    if end > len(payload):
        raise ProtocolError("a length in its answer is broken")
    return int.from_bytes(payload[position + 1 : end], "little"), end


def _status_of_ok(payload: bytes) -> int:
    _, position = _length(payload, 1)
    _, position = _length(payload, position)
    return int.from_bytes(payload[position : position + 2], "little")


def _status_of_eof(payload: bytes) -> int:
    return int.from_bytes(payload[3:5], "little")

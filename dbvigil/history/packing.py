"""How history is written into bytes. Pure: numbers in, bytes out, and back.

A sample (one row until its hour is closed):

    version u8 · count u16 · u32 code of each metric, the CRC-32 of its name · f64 value of each

A chunk (many samples or buckets of one database), column by column, so that one metric is read without
inflating the others:

    version u8 · times u32 · columns u16 · bytes of names u32
    deflated names, one a line · u32 length of the axis and of each column · axis · columns…

    axis      the times, as integers
    column    kind u8 · bitmap of the times it has (only if not all) · counts, lows, highs and means, behind
              their four u32 lengths. Highs are kept for buckets of two samples and more, means for three and
              more: with fewer they follow from the rest. A column of single samples is its values alone.

All is little-endian; `numbers` says how the numbers are written.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, compress, pairwise

from dbvigil.history.numbers import PackingError, pack_integers, pack_numbers, unpack_integers, unpack_numbers
from dbvigil.history.tiers import Buckets, between

_VERSION = 1
_SAMPLE = struct.Struct("<BH")
_CHUNK = struct.Struct("<BIHI")
_LENGTHS = struct.Struct("<4I")

_SINGLE = 0
_GATHERED = 1
_SPARSE = 0x80


def code(name: str) -> int:
    """The number that stands for a metric's name in a packed sample."""
    return zlib.crc32(name.encode())


def pack_sample(codes: Sequence[int], values: Sequence[float]) -> bytes:
    """One sample; `codes[i]` belongs to `values[i]`."""
    size = len(values)
    return _SAMPLE.pack(_VERSION, size) + struct.pack(f"<{size}I{size}d", *codes, *values)


def unpack_sample(data: bytes, wanted: Mapping[int, str]) -> dict[str, float]:
    """The values whose codes are `wanted`, by the name that stands there; raises `PackingError`."""
    try:
        version, size = _SAMPLE.unpack_from(data)
        _check_version(version)
        begin = _SAMPLE.size + 4 * size
        places = _places(data[_SAMPLE.size : begin])
        values = struct.unpack_from(f"<{size}d", data, begin)
    except struct.error as error:
        raise PackingError(f"a sample of {len(data)} bytes: {error}") from error
    return {name: values[places[code]] for code, name in wanted.items() if code in places}


@lru_cache(maxsize=256)
def _places(codes: bytes) -> dict[int, int]:
    """Where each code stands; the same few runs of codes come again and again."""
    return {code: place for place, (code,) in enumerate(struct.iter_unpack("<I", codes))}


def pack_chunk(series: Mapping[str, Buckets]) -> bytes:
    """A chunk with these metrics; their times need not be the same."""
    shared = {id(buckets.times): buckets.times for buckets in series.values()}
    axis = sorted(set().union(*shared.values()))
    columns = {name: _pack_column(buckets, axis) for name, buckets in sorted(series.items()) if len(buckets)}
    times = pack_integers(axis)
    names = zlib.compress("\n".join(columns).encode())
    lengths = struct.pack(f"<{len(columns) + 1}I", len(times), *map(len, columns.values()))
    head = _CHUNK.pack(_VERSION, len(axis), len(columns), len(names))
    return b"".join((head, names, lengths, times, *columns.values()))


def unpack_chunk(data: bytes, names: Collection[str] | None = None) -> dict[str, Buckets]:
    """The chunk's metrics, or those of `names` that it has; raises `PackingError`."""
    try:
        version, size, number, length = _CHUNK.unpack_from(data)
        _check_version(version)
        begin = _CHUNK.size + length
        places = _line_numbers(data[_CHUNK.size : begin])
        found = [name for name in (places if names is None else names) if name in places]
        if not found:
            return {}
        lengths = struct.unpack_from(f"<{number + 1}I", data, begin)
        edges = list(accumulate(lengths, initial=begin + 4 * len(lengths)))
        if edges[-1] != len(data):
            raise PackingError(f"{edges[-1]} bytes are meant")
        axis = unpack_integers(data[edges[0] : edges[1]], size)
        parts = {name: data[edges[places[name]] : edges[places[name] + 1]] for name in found}
        return {name: _unpack_column(part, axis) for name, part in parts.items()}
    except (struct.error, zlib.error, ValueError, IndexError, KeyError) as error:
        raise PackingError(f"a chunk of {len(data)} bytes: {error}") from error


def _check_version(version: int) -> None:
    if version != _VERSION:
        raise PackingError(f"version {version}; known is {_VERSION}")


@lru_cache(maxsize=256)
def _line_numbers(deflated: bytes) -> dict[str, int]:
    """Which line, counted from 1, each name stands in; nearly every chunk has the same names."""
    names = zlib.decompress(deflated).decode().splitlines()
    return {name: number for number, name in enumerate(names, start=1)}


def _pack_column(buckets: Buckets, axis: Sequence[int]) -> bytes:
    sparse = len(buckets) < len(axis)
    bitmap = b""
    if sparse:
        present = set(buckets.times)
        bits = sum(1 << place for place, moment in enumerate(axis) if moment in present)
        bitmap = bits.to_bytes((len(axis) + 7) // 8, "little")
    flag = _SPARSE if sparse else 0
    if buckets.single:
        return bytes((flag | _SINGLE,)) + bitmap + pack_numbers(buckets.means)
    counts = buckets.counts
    sections = (
        pack_integers(counts),
        pack_numbers(buckets.lows),
        pack_numbers([high for high, number in zip(buckets.highs, counts, strict=True) if number > 1]),
        pack_numbers([mean for mean, number in zip(buckets.means, counts, strict=True) if number > 2]),
    )
    return b"".join((bytes((flag | _GATHERED,)), bitmap, _LENGTHS.pack(*map(len, sections)), *sections))


def _unpack_column(data: bytes, axis: Sequence[int]) -> Buckets:
    kind = data[0]
    begin = 1
    times = axis
    if kind & _SPARSE:
        begin += (len(axis) + 7) // 8
        bits = int.from_bytes(data[1:begin], "little")
        times = list(compress(axis, map(int, reversed(f"{bits:0{len(axis)}b}"))))
    size = len(times)
    if not kind & _GATHERED:
        values = unpack_numbers(data[begin:], size)
        return Buckets(times, [1] * size, values, values, values)
    edges = pairwise(accumulate(_LENGTHS.unpack_from(data, begin), initial=begin + _LENGTHS.size))
    counts_data, lows_data, highs_data, means_data = (data[start:end] for start, end in edges)
    counts = unpack_integers(counts_data, size)
    lows = unpack_numbers(lows_data, size)
    alone = counts.count(1)
    highs = unpack_numbers(highs_data, size - alone)
    if alone:
        highs = _filled(highs, [number > 1 for number in counts], lows)
    # The lows of a chunk may have been rounded and its highs not, or the other way round.
    highs = list(map(max, highs, lows))
    few = alone + counts.count(2)
    means = unpack_numbers(means_data, size - few)
    if few:
        middles = [(low + high) / 2 for low, high in zip(lows, highs, strict=True)]
        if few == size:
            return Buckets(times, counts, middles, lows, highs)
        means = _filled(means, [number > 2 for number in counts], middles)
    return Buckets(times, counts, between(lows, means, highs), lows, highs)


def _filled(kept: Sequence[float], own: Sequence[bool], others: Sequence[float]) -> list[float]:
    """`others`, with the next of `kept` wherever `own` says so."""
    following = iter(kept)
    return [next(following) if mine else other for mine, other in zip(own, others, strict=True)]

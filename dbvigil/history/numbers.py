"""Lists of numbers written into few bytes. Pure.

    numbers   kind u8 · integers that stand for ones, tenths, hundredths, thousandths; or float32; or float64
    integers  flags u8 · base i64 · smallest difference i64 (with _DIFFERENCES) · offsets in the fewest bytes

All is little-endian; offsets and floats stand plane by plane (all lowest bytes first) and are deflated where
that is shorter.

Integers and decimals of up to three places are exact. Any other number is rounded to 20 binary places after
its leading one: it is off by less than 6e-7 of itself, and takes less than half the space of a double.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise, repeat
from operator import ne
from typing import Any


class PackingError(ValueError):
    """Bytes that are not what was packed here, or are of a version not known here."""


_BASE = struct.Struct("<Bq")

_SWAP = sys.byteorder == "big"
_UNSIGNED = {1: "B", 2: "H", 4: "I", 8: "Q"}

_DIFFERENCES = 0x40
_WIDTH = 0x0F

_FLOAT32 = 0x10
_FLOAT64 = 0x11
_FLOAT32_LEAST, _FLOAT32_MOST = 1e-37, 3e38
_DROPPED_BITS = 3
_HALF = 1 << (_DROPPED_BITS - 1)
_KEPT = ~((1 << _DROPPED_BITS) - 1)

_SCALES = (1, 10, 100, 1000)
_LARGEST_EXACT = 2**53
_GLANCE = 4


def pack_numbers(values: Sequence[float]) -> bytes:
    """Finite numbers, in as few bytes as this module knows how."""
    if not values:
        return b""
    sizes = list(map(abs, values))
    largest = max(sizes)
    for kind, scale in enumerate(_SCALES):
        scaled = _decimals(values, scale) if largest * scale < _LARGEST_EXACT else None
        if scaled is not None:
            return bytes((kind,)) + pack_integers(scaled)
    if min(filter(None, sizes)) > _FLOAT32_LEAST and largest < _FLOAT32_MOST:
        words = array("I", array("f", values).tobytes())
        rounded = array("I", [(word + _HALF) & _KEPT for word in words])
        return bytes((_FLOAT32,)) + _deflated(_planes(rounded))
    return bytes((_FLOAT64,)) + _deflated(_planes(array("d", values)))


def unpack_numbers(data: bytes, size: int) -> list[float]:
    """The `size` numbers that were packed; raises `PackingError`."""
    if not size:
        return []
    kind = data[0]
    if kind < len(_SCALES):
        whole = unpack_integers(data[1:], size)
        scale = _SCALES[kind]
        return list(map(float, whole)) if scale == 1 else [value / scale for value in whole]
    if kind not in (_FLOAT32, _FLOAT64):
        raise PackingError(f"numbers of kind {kind}")
    return _from_planes(_inflated(data[1:]), "f" if kind == _FLOAT32 else "d", size)


def _decimals(values: Sequence[float], scale: int) -> list[int] | None:
    """The values times `scale`, if these are whole numbers from which the values come back exactly."""
    scaled: list[int] = []
    for part in (values[:_GLANCE], values):
        scaled = list(map(round, part)) if scale == 1 else [round(value * scale) for value in part]
        if any(map(ne, part, scaled if scale == 1 else [value / scale for value in scaled])):
            return None
    return scaled


def pack_integers(values: Sequence[int]) -> bytes:
    """The shorter of: offsets from the smallest value; differences, as offsets from the smallest of those."""
    if not values:
        return b""
    least = min(values)
    plain = _BASE.pack(0, least), [value - least for value in values]
    following = [right - left for left, right in pairwise(values)]
    smallest = min(following, default=0)
    stepped = (
        _BASE.pack(_DIFFERENCES, values[0]) + struct.pack("<q", smallest),
        [difference - smallest for difference in following],
    )
    return min((_pack_offsets(*plain), _pack_offsets(*stepped)), key=len)


def _pack_offsets(head: bytes, offsets: Sequence[int]) -> bytes:
    width = _width(max(offsets, default=0))
    if not width:
        return head
    body = _planes(array(_UNSIGNED[width], offsets))
    return bytes((head[0] | width,)) + head[1:] + _deflated(body)


def unpack_integers(data: bytes, size: int) -> list[int]:
    """The `size` integers that were packed; raises `PackingError`, or `struct.error` for bytes cut short."""
    if not size:
        return []
    flags, base = _BASE.unpack_from(data)
    begin = _BASE.size
    width = flags & _WIDTH
    if not flags & _DIFFERENCES:
        if not width:
            return [base] * size
        return [offset + base for offset in _from_planes(_inflated(data[begin:]), _UNSIGNED[width], size)]
    (smallest,) = struct.unpack_from("<q", data, begin)
    begin += 8
    if not width:
        return list(accumulate(repeat(smallest, size - 1), initial=base))
    offsets = _from_planes(_inflated(data[begin:]), _UNSIGNED[width], size - 1)
    return list(accumulate([offset + smallest for offset in offsets], initial=base))


def _width(largest: int) -> int:
    """Bytes for a whole number from 0 to `largest`: 0, 1, 2, 4 or 8."""
    return next(width for width in (0, 1, 2, 4, 8) if largest < 1 << 8 * width)


def _planes(values: array[Any]) -> bytes:
    if _SWAP:
        values.byteswap()
    data = values.tobytes()
    width = values.itemsize
    return b"".join(data[place::width] for place in range(width))


def _from_planes(planes: bytes, kind: str, size: int) -> list[Any]:
    """Numbers of `array`'s type `kind`: whole ones for its unsigned types, else floats."""
    values: array[Any] = array(kind)
    width = values.itemsize
    if len(planes) != width * size:
        raise PackingError(f"{len(planes)} bytes for {size} numbers of {width}")
    data = bytearray(len(planes))
    for place in range(width):
        data[place::width] = planes[place * size : (place + 1) * size]
    values.frombytes(data)
    if _SWAP:
        values.byteswap()
    return values.tolist()


def _deflated(data: bytes) -> bytes:
    squeezer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    shorter = squeezer.compress(data) + squeezer.flush()
    return b"\1" + shorter if len(shorter) < len(data) else b"\0" + data


def _inflated(data: bytes) -> bytes:
    return zlib.decompress(data[1:], -zlib.MAX_WBITS) if data[0] else data[1:]

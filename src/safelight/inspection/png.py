"""The header of a PNG: its size, and the frames if it is animated (PNG, third edition)."""

import struct
import zlib
from collections.abc import Iterator
from datetime import timedelta
from mmap import mmap
from typing import Final

from safelight import errors
from safelight.inspection.limits import Header

_SIGNATURE_BYTES: Final = 8
_ANIMATION: Final = frozenset({b"acTL", b"fcTL", b"fdAT"})
_CONTROL_BYTES, _DELAY_AT = 26, 20
_HUNDREDTHS: Final = 100


def read_header(data: bytes | mmap) -> Header:
    """Read the size, and count the frames of an APNG and how long they stay.

    A picture that stands before the animation, for those who know of none, is its first frame.
    The decoder shows the first picture and knows nothing of animation, so the chunks of the other
    frames are checked here: each has its right CRC, and the file reaches its end. All else is left
    for the decoder to judge. Raises CorruptImage.
    """
    chunks = _chunks(data)
    if next(chunks, (b"",))[0] != b"IHDR":
        raise errors.CorruptImage
    width, height = struct.unpack_from(">II", data, _SIGNATURE_BYTES + 8)
    kinds, last, lasting = {b"IHDR": 1}, b"", timedelta(0)
    alone = False
    for last, start, end in chunks:
        if last == b"acTL" and b"IDAT" in kinds:
            continue  # Too late to count: viewers show a still.
        if last in _ANIMATION and zlib.crc32(data[start - 4 : end]) != _crc(data, end):
            raise errors.CorruptImage
        kinds[last] = kinds.get(last, 0) + 1
        alone = alone or (last == b"IDAT" and b"fcTL" not in kinds)
        if last == b"fcTL" and end - start == _CONTROL_BYTES:
            lasting += _delay(data, start)
    if b"acTL" not in kinds:
        return Header(width=width, height=height)
    if last != b"IEND":
        raise errors.CorruptImage
    frames = max(kinds.get(b"fcTL", 0) + alone, 1)
    return Header(width=width, height=height, frames=frames, duration=lasting)


def _delay(data: bytes | mmap, start: int) -> timedelta:
    """Read how long a frame stays; a fraction of nothing is one of hundredths."""
    number, parts = struct.unpack_from(">HH", data, start + _DELAY_AT)
    return timedelta(seconds=number / (parts or _HUNDREDTHS))


def _chunks(data: bytes | mmap) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each whole chunk's data, up to IEND or to where it is cut."""
    position = _SIGNATURE_BYTES
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        start, end = position + 8, position + 8 + length
        if end + 4 > len(data):
            return
        yield kind, start, end
        if kind == b"IEND":
            return
        position = end + 4


def _crc(data: bytes | mmap, end: int) -> int:
    return int.from_bytes(data[end : end + 4], "big")

"""Read the header of a WebP: its canvas size and number of frames (RFC 9649)."""

import struct
from collections.abc import Iterator
from mmap import mmap
from typing import Final

from safelight import errors
from safelight.imaging.limits import Header

_RIFF_HEADER: Final = 12
_ANIMATED: Final = 0x02


def read_header(data: bytes | mmap) -> Header:
    """Return the canvas size and the number of frames.

    The file must be as long as its RIFF header and each chunk state; anything after the RIFF is
    ignored. Raises CorruptImage.
    """
    found = chunks(data)
    kind, start, length = next(found, (b"", 0, 0))
    if kind == b"VP8X" and length >= 10:
        width, height = _u24(data, start + 4) + 1, _u24(data, start + 7) + 1
        frames = sum(kind == b"ANMF" for kind, *_ in found)
        animated = data[start] & _ANIMATED
        return Header(width=width, height=height, frames=max(frames, 1) if animated else 1)
    if kind == b"VP8L" and length >= 5:
        bits = struct.unpack_from("<I", data, start + 1)[0]
        return Header(width=(bits & 0x3FFF) + 1, height=(bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and length >= 10:
        width, height = struct.unpack_from("<HH", data, start + 6)
        return Header(width=width & 0x3FFF, height=height & 0x3FFF)
    raise errors.CorruptImage


def chunks(data: bytes | mmap) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start of the data, and length of each chunk. Raises CorruptImage."""
    if len(data) < _RIFF_HEADER:
        raise errors.CorruptImage
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise errors.CorruptImage
    position = _RIFF_HEADER
    while position + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, position)
        if position + 8 + length > end:
            raise errors.CorruptImage
        yield kind, position + 8, length
        position += 8 + length + (length & 1)


def _u24(data: bytes | mmap, position: int) -> int:
    return int.from_bytes(data[position : position + 3], "little")

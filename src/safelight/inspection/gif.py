"""The header of a GIF: its canvas and its frames, counted to the trailer (GIF89a)."""

import struct
from mmap import mmap
from typing import Final

from safelight import errors
from safelight.inspection.limits import Header

_TRAILER, _EXTENSION, _IMAGE = 0x3B, 0x21, 0x2C
_SCREEN: Final = struct.Struct("<HHBBB")
_DESCRIPTOR: Final = struct.Struct("<HHHHB")
_SCREEN_AT: Final = 6


def read_header(data: bytes | mmap) -> Header:
    """Walk all blocks to the trailer: canvas size, and how many frames.

    The decoder takes a file cut between two frames for a shorter animation; here it must reach its
    trailer. A first frame larger than the canvas makes the canvas, as browsers have it. The
    decoder's own notion isn't used: it reads an absurd canvas as 1 x 1. Raises CorruptImage.
    """
    try:
        return _walk(data)
    except (IndexError, struct.error) as cut:
        raise errors.CorruptImage from cut


def _walk(data: bytes | mmap) -> Header:
    width, height, flags, *_ = _SCREEN.unpack_from(data, _SCREEN_AT)
    position, frames = _SCREEN_AT + _SCREEN.size + _table(flags), 0
    while (block := data[position]) != _TRAILER:
        position += 1
        if block == _EXTENSION:
            position = _after_sub_blocks(data, position + 1)
        elif block == _IMAGE:
            left, top, wide, high, flags = _DESCRIPTOR.unpack_from(data, position)
            if frames == 0 and (wide > width or high > height):
                width, height = max(width, left + wide), max(height, top + high)
            frames += 1
            position += _DESCRIPTOR.size + _table(flags) + 1  # one byte of LZW code size
            position = _after_sub_blocks(data, position)
        elif block != 0:  # Stray zeros between blocks are harmless, and found in old files.
            raise errors.CorruptImage
    if not frames:
        raise errors.CorruptImage
    return Header(width=width, height=height, frames=frames)


def _table(flags: int) -> int:
    """Bytes of the colour table that the flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_sub_blocks(data: bytes | mmap, position: int) -> int:
    while length := data[position]:
        position += 1 + length
    return position + 1

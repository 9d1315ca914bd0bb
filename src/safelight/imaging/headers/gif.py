"""Read the header of a GIF: its canvas size and number of frames (GIF89a)."""

import struct
from collections.abc import Iterator
from mmap import mmap
from typing import Final

from safelight import errors
from safelight.imaging.limits import Header

_TRAILER, _EXTENSION, _IMAGE, _APPLICATION = 0x3B, 0x21, 0x2C, 0xFF
_SCREEN: Final = struct.Struct("<HHBBB")
_DESCRIPTOR: Final = struct.Struct("<HHHHB")
_SCREEN_AT: Final = 6


def read_header(data: bytes | mmap) -> Header:
    """Read all blocks up to the trailer; return the canvas size and the number of frames.

    The decoder takes a file truncated between two frames for a shorter animation; here the trailer
    is required. If the first frame is larger than the canvas, it extends the canvas, as in
    browsers. The decoder's canvas size isn't used: it turns an absurd one into 1 x 1. Raises
    CorruptImage.
    """
    try:
        return _read_blocks(data)
    except (IndexError, struct.error) as error:
        raise errors.CorruptImage from error


def _read_blocks(data: bytes | mmap) -> Header:
    width, height, flags, *_ = _SCREEN.unpack_from(data, _SCREEN_AT)
    position, frames = _SCREEN_AT + _SCREEN.size + _table_size(flags), 0
    while (block := data[position]) != _TRAILER:
        position += 1
        if block == _EXTENSION:
            position = _skip_sub_blocks(data, position + 1)
        elif block == _IMAGE:
            left, top, wide, high, flags = _DESCRIPTOR.unpack_from(data, position)
            if frames == 0 and (wide > width or high > height):
                width, height = max(width, left + wide), max(height, top + high)
            frames += 1
            position += _DESCRIPTOR.size + _table_size(flags) + 1  # one byte of LZW code size
            position = _skip_sub_blocks(data, position)
        elif block != 0:  # Old files contain stray zeros between blocks, which are harmless.
            raise errors.CorruptImage
    if not frames:
        raise errors.CorruptImage
    return Header(width=width, height=height, frames=frames)


def _table_size(flags: int) -> int:
    """Return the size in bytes of the colour table, according to the flags."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip_sub_blocks(data: bytes | mmap, position: int) -> int:
    while length := data[position]:
        position += 1 + length
    return position + 1


def application_blocks(data: bytes | mmap, name: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of the sub-blocks of each application extension with this name.

    The name is the 11 bytes of its identifier and code. Raises IndexError or struct.error at the
    end of a truncated file.
    """
    flags = _SCREEN.unpack_from(data, _SCREEN_AT)[2]
    position = _SCREEN_AT + _SCREEN.size + _table_size(flags)
    while (block := data[position]) != _TRAILER:
        position += 1
        if block == _EXTENSION:
            head = position + 2 + data[position + 1]
            end = _skip_sub_blocks(data, position + 1)
            if data[position] == _APPLICATION and data[position + 2 : head] == name:
                yield head, end
            position = end
        elif block == _IMAGE:
            flags = _DESCRIPTOR.unpack_from(data, position)[4]
            position += _DESCRIPTOR.size + _table_size(flags) + 1
            position = _skip_sub_blocks(data, position)


def join_sub_blocks(blocks: bytes) -> bytes:
    """Return the content of sub-blocks, up to the first empty one."""
    parts, position = [], 0
    while position < len(blocks) and (length := blocks[position]):
        parts.append(blocks[position + 1 : position + 1 + length])
        position += 1 + length
    return b"".join(parts)

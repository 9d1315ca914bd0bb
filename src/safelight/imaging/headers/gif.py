"""Read the header of a GIF: its canvas size and number of frames (GIF89a)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import Final

from safelight import errors
from safelight.imaging.limits import Header

_TRAILER, _EXTENSION, _IMAGE = 0x3B, 0x21, 0x2C
_CONTROL, _APPLICATION = 0xF9, 0xFF
_LOOPS: Final = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_SCREEN: Final = struct.Struct("<HHBBB")
_DESCRIPTOR: Final = struct.Struct("<HHHHB")
_SCREEN_AT: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """The canvas as displayed, and the rectangle of the first frame on it, in pixels."""

    canvas_width: int
    canvas_height: int
    left: int
    top: int
    width: int
    height: int
    is_extended: bool
    """Whether the first frame reaches past the canvas of the header."""

    @property
    def is_covered(self) -> bool:
        """Whether the first frame covers the canvas. What it doesn't cover is transparent."""
        return (self.width, self.height) == (self.canvas_width, self.canvas_height)


def read_header(data: bytes | mmap) -> Header:
    """Read all blocks up to the trailer; return the canvas size and the number of frames.

    The decoder takes a file truncated between two frames for a shorter animation; here the trailer
    is required, except after the one frame of a still image. The decoder's canvas size isn't used:
    it turns an absurd one into 1 x 1. Raises CorruptImage.
    """
    try:
        return _read_blocks(data)
    except (IndexError, struct.error) as error:
        raise errors.CorruptImage from error


def read_canvas(data: bytes | mmap) -> Canvas:
    """Return the canvas and the place of the first frame on it. Raises CorruptImage.

    As in browsers, the first frame extends the canvas to its right and lower edge. Later frames
    don't.
    """
    try:
        return _read_canvas(data)
    except (IndexError, struct.error) as error:
        raise errors.CorruptImage from error


def _read_canvas(data: bytes | mmap) -> Canvas:
    position = _start(data)
    while (block := data[position]) != _IMAGE:
        if block == _TRAILER:
            raise errors.CorruptImage
        position += 1
        if block == _EXTENSION:
            position = _skip_sub_blocks(data, position + 1)
    left, top, width, height, _ = _DESCRIPTOR.unpack_from(data, position + 1)
    canvas_width, canvas_height, *_ = _SCREEN.unpack_from(data, _SCREEN_AT)
    return Canvas(
        canvas_width=max(canvas_width, left + width),
        canvas_height=max(canvas_height, top + height),
        left=left,
        top=top,
        width=width,
        height=height,
        is_extended=left + width > canvas_width or top + height > canvas_height,
    )


def _read_blocks(data: bytes | mmap) -> Header:
    position, frames, is_animated = _start(data), 0, False
    while position < len(data) or is_animated or frames != 1:
        block = data[position]
        if block == _TRAILER:
            break
        position += 1
        if block == _EXTENSION:
            is_animated = is_animated or _is_of_animation(data, position, frames)
            position = _skip_sub_blocks(data, position + 1)
        elif block == _IMAGE:
            *_, flags = _DESCRIPTOR.unpack_from(data, position)
            frames += 1
            position += _DESCRIPTOR.size + _table_size(flags) + 1  # one byte of LZW code size
            position = _skip_sub_blocks(data, position)
        elif block != 0:  # Old files contain stray zeros between blocks, which are harmless.
            raise errors.CorruptImage
    if not frames:
        raise errors.CorruptImage
    canvas = _read_canvas(data)
    return Header(width=canvas.canvas_width, height=canvas.canvas_height, frames=frames)


def _is_of_animation(data: bytes | mmap, label_at: int, frames: int) -> bool:
    """Whether an extension shows that more frames follow: a delay, a loop, or another control."""
    if data[label_at] == _CONTROL:
        return frames > 0 or data[label_at + 3 : label_at + 5] != bytes(2)
    return data[label_at] == _APPLICATION and data[label_at + 2 : label_at + 13] in _LOOPS


def _start(data: bytes | mmap) -> int:
    """Return the position of the first block."""
    _, _, flags, *_ = _SCREEN.unpack_from(data, _SCREEN_AT)
    return _SCREEN_AT + _SCREEN.size + _table_size(flags)


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

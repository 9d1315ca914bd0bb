"""Find the EXIF blocks in a file, also those that libvips passes over."""

import contextlib
import re
import struct
from collections.abc import Callable, Iterator
from itertools import islice
from mmap import mmap
from typing import Final

from safelight import errors
from safelight.imaging import png_text
from safelight.imaging.headers import heif, png, webp

MAX_BLOCKS: Final = 200
MAX_BYTES: Final = 1 << 20
"""The bytes of a block that are read. In a JPEG, none is longer than a segment."""

# A name (`Exif`), or its length, may precede the TIFF header.
_TIFF: Final = re.compile(rb"II\*\0|MM\0\*")
_TIFF_WITHIN: Final = 32
# The coded data of a JPEG contain no such marker, so the file isn't parsed. That finds the blocks
# between scans, and those of a second photo behind the first.
_IN_JPEG: Final = re.compile(rb"\xff\xe1(..)Exif\0", re.DOTALL)


def find_exif_blocks(data: bytes | mmap, format_name: str) -> list[bytes]:
    """Return the EXIF blocks of an accepted photo, each from its TIFF header on."""
    found: list[bytes] = []
    with contextlib.suppress(errors.CorruptImage, IndexError, KeyError, struct.error):
        found.extend(islice(_FINDERS[format_name](data), MAX_BLOCKS))
    heads = ((block, _TIFF.search(block, 0, _TIFF_WITHIN)) for block in found)
    return [block[head.start() :] for block, head in heads if head]


def _in_jpeg(data: bytes | mmap) -> Iterator[bytes]:
    for match in _IN_JPEG.finditer(data):
        start = match.start() + 4
        yield data[start : start - 2 + int.from_bytes(match[1], "big")]


def _in_png(data: bytes | mmap) -> Iterator[bytes]:
    """Yield the blocks of chunks anywhere in the file, and those that ImageMagick wrote."""
    for kind, start, end in png.chunks(data):
        if kind == b"eXIf":
            yield data[start : min(end, start + MAX_BYTES)]
    yield from png_text.raw_profiles(data, b"exif", b"APP1", b"app1", limit=MAX_BYTES)


def _in_webp(data: bytes | mmap) -> Iterator[bytes]:
    for kind, start, length in webp.chunks(data):
        if kind == b"EXIF":
            yield data[start : start + min(length, MAX_BYTES)]


def _in_gif(_data: bytes | mmap) -> Iterator[bytes]:
    yield from ()


def _in_heif(data: bytes | mmap) -> Iterator[bytes]:
    for spans in heif.metadata_items(data, b"Exif"):
        block = bytearray()
        for start, end in spans:
            block += data[start : min(end, start + MAX_BYTES - len(block))]
        yield bytes(block)


_FINDERS: Final[dict[str, Callable[[bytes | mmap], Iterator[bytes]]]] = {
    "jpeg": _in_jpeg,
    "png": _in_png,
    "gif": _in_gif,
    "webp": _in_webp,
    "avif": _in_heif,
    "heic": _in_heif,
}

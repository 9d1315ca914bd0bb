"""Find the EXIF blocks in a file, and read their fields (Exif 3.0, 4.6; TIFF 6.0, section 2).

libvips returns the fields that its loaders find. This reads the blocks that they pass over, too,
and values as numbers. What is malformed counts as missing.
"""

import contextlib
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from mmap import mmap
from typing import Final

from safelight import errors
from safelight.imaging import png_text
from safelight.imaging.headers import heif, png, webp

ORIENTATION: Final = 0x0112
GPS_LATITUDE_REF, GPS_LATITUDE, GPS_LONGITUDE_REF, GPS_LONGITUDE = 1, 2, 3, 4

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_MAX_ENTRIES: Final = 500
_MAX_VALUES: Final = 16
_MAX_TEXT: Final = 1_000
_ASCII, _SHORT, _RATIONAL, _SIGNED_RATIONAL = 2, 3, 5, 10
_NUMBERS: Final = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 5: "II", 10: "ii"}

Value = str | tuple[Fraction | int | None, ...]
Fields = dict[int, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exif:
    """The fields of each directory by number: text, or numbers, up to 16 of them.

    A fraction of a denominator of zero is None.
    """

    image: Fields
    photo: Fields
    gps: Fields

    @property
    def orientation(self) -> int | None:
        """The orientation, 1 to 8, if the block has a valid one."""
        value = self.image.get(ORIENTATION)
        number = value[0] if isinstance(value, tuple) and len(value) == 1 else None
        return number if isinstance(number, int) and 1 <= number <= 8 else None


def read_exif(block: bytes) -> Exif:
    """Read a block that starts with its TIFF header. It may be truncated, or have no fields."""
    try:
        order = "<" if block[:2] == b"II" else ">"
        (first,) = struct.unpack_from(f"{order}I", block, 4)
    except struct.error:
        return Exif(image={}, photo={}, gps={})
    image = _read_directory(block, order, first)
    directories = [
        _read_directory(block, order, at[0])
        if isinstance(at := image.get(tag), tuple) and isinstance(at[0], int)
        else {}
        for tag in (_EXIF_IFD, _GPS_IFD)
    ]
    return Exif(image=image, photo=directories[0], gps=directories[1])


def _read_directory(block: bytes, order: str, at: int) -> Fields:
    fields: Fields = {}
    try:
        (count,) = struct.unpack_from(f"{order}H", block, at)
        for entry in range(at + 2, at + 2 + 12 * min(count, _MAX_ENTRIES), 12):
            tag, kind, number = struct.unpack_from(f"{order}HHI", block, entry)
            value = _read_value(block, order, kind, number, entry + 8)
            if value is not None:
                fields.setdefault(tag, value)
    except struct.error:
        pass  # The fields before the damage count.
    return fields


def _read_value(block: bytes, order: str, kind: int, count: int, at: int) -> Value | None:
    """Return the value of an entry; `at` is the position of the value, or of its offset."""
    letters = "B" if kind == _ASCII else _NUMBERS.get(kind)
    if letters is None or not 1 <= count <= (_MAX_TEXT if kind == _ASCII else _MAX_VALUES):
        return None
    form = struct.Struct(order + letters * count)
    if form.size > 4:
        (at,) = struct.unpack_from(f"{order}I", block, at)
    if at + form.size > len(block):
        return None
    if kind == _ASCII:
        return block[at : at + count].partition(b"\0")[0].decode("utf-8", "replace").strip()
    numbers = form.unpack_from(block, at)
    if kind not in {_RATIONAL, _SIGNED_RATIONAL}:
        return numbers
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return tuple(Fraction(*pair) if pair[1] else None for pair in pairs)


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

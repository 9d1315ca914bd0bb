"""Read the header of a JPEG: its size and number of scans (ITU-T T.81, annex B)."""

import re
from collections.abc import Iterator
from mmap import mmap
from typing import Final

from safelight import errors
from safelight.imaging.limits import Header

# Any marker but the stuffed zero and the restarts, which belong to the coded data. No "+" for the
# fill bytes before a marker: a long run of them would take quadratic time.
_MARKER: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_WITHOUT_LENGTH: Final = frozenset({0x01, 0xD8})  # TEM and SOI have no length
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # DHT, JPG and DAC
_SCAN: Final = 0xDA
_END: Final = 0xD9
_APPLICATION: Final = 0xE0


def read_header(data: bytes | mmap) -> Header:
    """Read the first frame header, and count the scans up to the first end marker.

    As lenient as libjpeg: junk between segments is skipped, and a missing end marker is left to the
    decoder. Raises CorruptImage if there is no frame header.
    """
    size, scans, position = None, 0, 0
    while match := _MARKER.search(data, position):
        code, position = data[match.end() - 1], match.end()
        if code == _END:
            break
        if code in _WITHOUT_LENGTH:
            continue
        if code in _FRAMES and size is None:
            size = _size(data[position + 3 : position + 7])
        scans += code == _SCAN
        # libjpeg takes an invalid length, below two, for an empty segment.
        position += max(int.from_bytes(data[position : position + 2], "big"), 2)
    if size is None:
        raise errors.CorruptImage
    return Header(width=size[0], height=size[1], scans=scans)


def application_segments(data: bytes | mmap, number: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of the content of each APPn segment before the first scan."""
    position = 0
    while match := _MARKER.search(data, position):
        code, position = data[match.end() - 1], match.end()
        if code in {_SCAN, _END}:
            return
        if code in _WITHOUT_LENGTH:
            continue
        length = max(int.from_bytes(data[position : position + 2], "big"), 2)
        if code == _APPLICATION + number:
            yield position + 2, min(position + length, len(data))
        position += length


def _size(field: bytes) -> tuple[int, int]:
    """Return width and height; the height comes first in the file. Truncated fields give 0."""
    return int.from_bytes(field[2:4], "big"), int.from_bytes(field[0:2], "big")

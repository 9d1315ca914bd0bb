"""The header of a JPEG: its size and how many scans it has (ITU-T T.81, annex B)."""

import re
from mmap import mmap
from typing import Final

from safelight import errors
from safelight.inspection.limits import Header

# Any marker but the stuffed zero and the restarts, which stand inside the coded data. No "+" for
# the fill bytes before a marker: over a long run of them it would take quadratic time.
_MARKER: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_ALONE: Final = frozenset({0x01, 0xD8})  # TEM and SOI have no length
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # DHT, JPG and DAC
_SCAN: Final = 0xDA
_END: Final = 0xD9


def read_header(data: bytes | mmap) -> Header:
    """Read the first frame header and count the scans up to the first end marker.

    As lenient as libjpeg is: junk between segments is passed over, and a missing end is left for
    the decoder to judge. Raises CorruptImage when there is no frame header.
    """
    size, scans, position = None, 0, 0
    while match := _MARKER.search(data, position):
        code, position = data[match.end() - 1], match.end()
        if code == _END:
            break
        if code in _ALONE:
            continue
        if code in _FRAMES and size is None:
            size = _size(data[position + 3 : position + 7])
        scans += code == _SCAN
        # libjpeg takes a length under two, which can't be, for an empty segment.
        position += max(int.from_bytes(data[position : position + 2], "big"), 2)
    if size is None:
        raise errors.CorruptImage
    return Header(width=size[0], height=size[1], scans=scans)


def _size(field: bytes) -> tuple[int, int]:
    """Width and height; in the file the height comes first. A cut field reads as no pixels."""
    return int.from_bytes(field[2:4], "big"), int.from_bytes(field[0:2], "big")

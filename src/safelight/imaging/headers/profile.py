"""Read the ICC profile of a JPEG (ICC.1:2022, annex B.4) or a WebP (RFC 9649, 2.7.1.4)."""

import struct
from mmap import mmap
from typing import Final

from safelight.imaging.colour.description import ColourDescription
from safelight.imaging.colour.profile import MAX_PROFILE, high_range_of
from safelight.imaging.headers.jpeg import application_segments

_ICC_SEGMENT: Final = 2
_NAME: Final = b"ICC_PROFILE\0"
_VP8X_AT, _FLAGS_AT, _ICCP_AT, _HAS_PROFILE = 12, 20, 30, 0x20


def read_jpeg_colour(data: bytes | mmap) -> ColourDescription | None:
    """Return what the codes in the profile mean, if that is PQ or HLG."""
    parts: dict[int, bytes] = {}
    size = 0
    for start, end in application_segments(data, _ICC_SEGMENT):
        if data[start : start + len(_NAME)] == _NAME and size < MAX_PROFILE:
            number, part = data[start + len(_NAME)], data[start + len(_NAME) + 2 : end]
            size += len(part)
            parts.setdefault(number, part)
    return high_range_of(b"".join(parts[number] for number in sorted(parts)))


def read_webp_colour(data: bytes | mmap) -> ColourDescription | None:
    """Return what the codes in the profile mean, if that is PQ or HLG."""
    if data[_VP8X_AT : _VP8X_AT + 4] != b"VP8X" or not data[_FLAGS_AT] & _HAS_PROFILE:
        return None
    kind, length = struct.unpack_from("<4sI", data, _ICCP_AT)
    start = _ICCP_AT + 8
    return (
        high_range_of(data[start : start + min(length, MAX_PROFILE)]) if kind == b"ICCP" else None
    )

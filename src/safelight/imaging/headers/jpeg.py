"""Read the header of a JPEG: its kind, size and number of scans (ITU-T T.81, annex B)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import Final

from safelight import errors
from safelight.imaging.headers.other_formats import unsupported
from safelight.imaging.limits import Header

# Any marker but the stuffed zero and the restarts, which belong to the coded data. No "+" for the
# fill bytes before a marker: a long run of them would take quadratic time.
_MARKER: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_WITHOUT_LENGTH: Final = frozenset({0x01, 0xD8})  # TEM and SOI have no length
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # DHT, JPG and DAC
_LOSSLESS: Final = frozenset({0xC3, 0xCB})
_HIERARCHICAL: Final = frozenset({0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF})
_JPEG_LS: Final = 0xF7
_MIN_SIDE_TO_SHRINK: Final = 64
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_MAX_COMPONENTS: Final = 4
_SCAN: Final = 0xDA
_END: Final = 0xD9
_APPLICATION: Final = 0xE0
_EXPORT: Final = "Export it as an 8-bit baseline JPEG and upload that."


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame header (B.2.2): its marker, bits of a sample, size in pixels, and components."""

    marker: int
    precision: int
    width: int
    height: int
    components: int

    @property
    def is_lossless(self) -> bool:
        """Whether it has no transform."""
        return self.marker in _LOSSLESS

    @property
    def can_shrink(self) -> bool:
        """Whether libjpeg can shrink it to an eighth while it decodes.

        libvips fails if a side shrinks to nothing, and loses lines of a short one. A lossless JPEG
        would be cropped instead.
        """
        return not self.is_lossless and min(self.width, self.height) >= _MIN_SIDE_TO_SHRINK


def read_header(data: bytes | mmap) -> Header:
    """Read the first frame header, and count the scans up to the first end marker.

    As lenient as libjpeg: junk between segments is skipped, and a missing end marker is left to the
    decoder. Raises CorruptImage if there is no frame header, and UnsupportedType for a kind of JPEG
    that libjpeg doesn't decode.
    """
    frame, samples, scans, position = None, 0.0, 0, 0
    while match := _MARKER.search(data, position):
        code, position = data[match.end() - 1], match.end()
        if code == _END:
            break
        if code in _WITHOUT_LENGTH:
            continue
        if code in _FRAMES and frame is None:
            frame = _frame(code, data[position + 2 : position + 8])
            samples = _samples(data[position + 7 : position + 8 + 3 * _MAX_COMPONENTS])
        if code == _JPEG_LS and frame is None:
            raise errors.UnsupportedType(unsupported("JPEG-LS", _EXPORT))
        scans += code == _SCAN
        # libjpeg takes an invalid length, below two, for an empty segment.
        position += max(int.from_bytes(data[position : position + 2], "big"), 2)
    if frame is None:
        raise errors.CorruptImage
    _check_kind(frame)
    if frame.marker in _PROGRESSIVE:  # All of it is decoded at the end, even if it has one scan.
        scans = max(scans, 2)
    return Header(width=frame.width, height=frame.height, scans=scans, samples=samples)


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


def read_frame(data: bytes | mmap) -> Frame:
    """Read the first frame header alone. Raises CorruptImage if there is none."""
    position = 0
    while match := _MARKER.search(data, position):
        code, position = data[match.end() - 1], match.end()
        if code in _FRAMES:
            return _frame(code, data[position + 2 : position + 8])
        if code not in _WITHOUT_LENGTH:
            position += max(int.from_bytes(data[position : position + 2], "big"), 2)
    raise errors.CorruptImage


def _frame(marker: int, field: bytes) -> Frame:
    """Return a frame header; the height comes first in the file. Truncated fields give 0."""
    return Frame(
        marker=marker,
        precision=int.from_bytes(field[:1], "big"),
        width=int.from_bytes(field[3:5], "big"),
        height=int.from_bytes(field[1:3], "big"),
        components=int.from_bytes(field[5:6], "big"),
    )


def _check_kind(frame: Frame) -> None:
    """Raise UnsupportedType for what libjpeg reads and doesn't decode to eight bits."""
    if frame.marker in _HIERARCHICAL:
        raise errors.UnsupportedType(unsupported("hierarchical JPEG", _EXPORT))
    bits = frame.precision
    if bits == 12 or (frame.is_lossless and 2 <= bits <= 16 and bits != 8):
        kind = "lossless JPEG" if frame.is_lossless else "JPEG"
        raise errors.UnsupportedType(unsupported(f"{bits}-bit {kind}", _EXPORT))


def _samples(field: bytes) -> float:
    """Return the samples of a pixel: 1.5 if both colours have half of the width and height."""
    factors = [divmod(factor, 16) for factor in field[2 : 1 + 3 * int.from_bytes(field[:1]) : 3]]
    whole = max((a for a, _ in factors), default=0) * max((d for _, d in factors), default=0)
    return sum(across * down for across, down in factors) / whole if whole else _MAX_COMPONENTS

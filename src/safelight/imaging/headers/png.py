"""Read the header of a PNG: its size, and the frames of an animation (PNG, third edition)."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from mmap import mmap
from typing import Final

from safelight import errors
from safelight.imaging.headers.animation import duration_of
from safelight.imaging.limits import Header

_SIGNATURE_BYTES: Final = 8
_ANIMATION: Final = frozenset({b"acTL", b"fcTL", b"fdAT"})
_CONTROL_BYTES, _DELAY_AT = 26, 20
_HUNDREDTHS: Final = 100
_IHDR: Final = struct.Struct(">IIBBxxB")
_SAMPLES: Final = {0: 1, 2: 3, 4: 2, 6: 4}
"""By colour type. A palette may have transparent colours."""
_PASSES: Final = 7
"""Of an interlaced image."""


def read_header(data: bytes | mmap) -> Header:
    """Read the size, and the number of frames and the duration of an APNG.

    A still image before the animation, for viewers without animation, counts as its first frame.
    The decoder decodes the first image only, so the chunks of the other frames are checked here:
    each needs a valid CRC, and the file its end. All else is left to the decoder. Raises
    CorruptImage.
    """
    found = chunks(data)
    kind, start, end = next(found, (b"", 0, 0))
    if kind != b"IHDR" or end - start != _IHDR.size:
        raise errors.CorruptImage
    width, height, depth, colour, interlaced = _IHDR.unpack_from(data, start)
    image = Header(
        width=width,
        height=height,
        scans=_PASSES if interlaced else 1,
        samples=_SAMPLES.get(colour, 4),
        depth=max(depth, 8),
    )
    counts, last, duration = {b"IHDR": 1}, b"", timedelta(0)
    has_still = False
    for last, start, end in found:
        if last == b"acTL" and b"IDAT" in counts:
            continue  # Ignored this late: viewers show a still image.
        if last in _ANIMATION and zlib.crc32(data[start - 4 : end]) != _crc(data, end):
            raise errors.CorruptImage
        counts[last] = counts.get(last, 0) + 1
        has_still = has_still or (last == b"IDAT" and b"fcTL" not in counts)
        if last == b"fcTL" and end - start == _CONTROL_BYTES:
            duration += _delay(data, start)
    if b"acTL" not in counts:
        return image
    if last != b"IEND":
        raise errors.CorruptImage
    frames = max(counts.get(b"fcTL", 0) + has_still, 1)
    return replace(image, frames=frames, duration=duration)


def _delay(data: bytes | mmap, start: int) -> timedelta:
    """Return how long a frame is shown; a denominator of zero means hundredths of a second."""
    number, parts = struct.unpack_from(">HH", data, start + _DELAY_AT)
    return duration_of([timedelta(seconds=number / (parts or _HUNDREDTHS))])


def chunks(data: bytes | mmap) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the data of each complete chunk, up to IEND."""
    position = _SIGNATURE_BYTES
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        start, end = position + 8, position + 8 + length
        if end + 4 > len(data):
            return
        yield kind, start, end
        if kind == b"IEND":
            return
        position = end + 4


def _crc(data: bytes | mmap, end: int) -> int:
    return int.from_bytes(data[end : end + 4], "big")

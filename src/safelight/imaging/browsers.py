"""Find out whether browsers show a file as it should be, by what they do.

Chromium 147 was tried with each case. What Firefox and Safari are known to do otherwise counts,
too.
"""

import struct
from collections.abc import Iterable
from mmap import mmap
from typing import Final

from safelight import errors
from safelight.imaging.exif import read_exif
from safelight.imaging.headers import jpeg
from safelight.imaging.headers.isobmff import first_of_each, item_properties, primary_item

_MAX_SIDE: Final = 65_535
"""Firefox refuses longer sides."""

_JPEG_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive. Lossless and arithmetic coding need another decoder."""
_JPEG_BITS: Final = 8
_JPEG_COMPONENTS: Final = frozenset({1, 3})
"""Grey and colour. Browsers differ in how they convert CMYK, and whether they use its profile."""
_EXIF_SEGMENT: Final = b"Exif\0\0"
_UPRIGHT: Final = frozenset({None, 1})


def is_displayable(
    data: bytes | mmap,
    format_name: str,
    *,
    longest_side: int,
    orientation: int,
    exif_blocks: Iterable[bytes],
) -> bool:
    """Return whether browsers show an accepted photo like its renditions, if they show its format.

    `longest_side` is in pixels; `orientation` is what the decoder applies, 1 if nothing.
    """
    if longest_side > _MAX_SIDE:
        return False
    match format_name:
        case "jpeg":
            return _is_jpeg_displayable(data, orientation)
        case "png" | "webp":
            # Chromium ignores the orientation in a WebP, and in a PNG behind the pixels; Firefox
            # ignores it in both. So the photo should be stored upright.
            return (
                orientation == 1
                and {read_exif(block).orientation for block in exif_blocks} <= _UPRIGHT
            )
        case "avif":
            return _is_avif_displayable(data)
    return True


def _is_jpeg_displayable(data: bytes | mmap, orientation: int) -> bool:
    try:
        frame = jpeg.read_frame(data)
    except errors.CorruptImage:
        return False
    return (
        frame.marker in _JPEG_FRAMES
        and frame.precision == _JPEG_BITS
        and frame.components in _JPEG_COMPONENTS
        and _jpeg_orientation(data) == orientation
    )


def _jpeg_orientation(data: bytes | mmap) -> int:
    """Return the orientation that browsers apply: that of the first EXIF block, if it is valid."""
    for start, end in jpeg.application_segments(data, 1):
        if data[start : start + len(_EXIF_SEGMENT)] == _EXIF_SEGMENT:
            return read_exif(data[start + len(_EXIF_SEGMENT) : end]).orientation or 1
    return 1


def _is_avif_displayable(data: bytes | mmap) -> bool:
    """Return whether an AVIF is neither cropped nor mirrored before it is rotated.

    Chromium ignores most crops (`clap`), and always rotates (`irot`) before it mirrors (`imir`).
    """
    try:
        top = first_of_each(data, 0, len(data))
        meta = first_of_each(data, top[b"meta"][0] + 4, top[b"meta"][1])
        item = primary_item(data, meta[b"pitm"][0])
        kinds = [kind for kind, *_ in item_properties(data, meta, item)]
    except (errors.CorruptImage, LookupError, struct.error):
        return False
    if b"imir" in kinds and b"irot" in kinds and kinds.index(b"imir") < kinds.index(b"irot"):
        return False
    return b"clap" not in kinds

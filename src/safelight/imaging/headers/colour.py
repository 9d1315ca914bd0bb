"""Find out from a file's header whether its colours are described by codes and numbers."""

import struct
from collections.abc import Callable
from mmap import mmap
from typing import Final

from safelight import errors
from safelight.imaging.colour.description import ColourDescription
from safelight.imaging.headers import heif_colour, png_colour, profile

_READERS: Final[dict[str, Callable[[bytes | mmap], ColourDescription | None]]] = {
    "jpeg": profile.read_jpeg_colour,
    "webp": profile.read_webp_colour,
    "png": png_colour.read_colour,
    "avif": heif_colour.read_colour,
    "heic": heif_colour.read_colour,
}


def colour_description(data: bytes | mmap, format_name: str) -> ColourDescription | None:
    """Return what the pixels of a photo mean; None if its profile says so, or if they are sRGB.

    Only photos with a description are converted by it, so all others are rendered as by version
    0.1. The header is enough: `data` may be the first bytes of the file, up to the pixels, or with
    the `meta` box of an AVIF or HEIC. Malformed values count as missing.
    """
    reader = _READERS.get(format_name)
    try:
        return reader(data) if reader else None
    except (IndexError, KeyError, struct.error, errors.CorruptImage):
        return None

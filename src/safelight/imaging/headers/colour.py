"""Find out from a file's header whether its colours are described by other means than a profile."""

from collections.abc import Callable
from mmap import mmap
from typing import Final

from safelight.imaging.colour.description import ColourDescription
from safelight.imaging.headers import heif_colour, png_colour

_READERS: Final[dict[str, Callable[[bytes | mmap], ColourDescription | None]]] = {
    "png": png_colour.read_colour,
    "avif": heif_colour.read_colour,
    "heic": heif_colour.read_colour,
}


def colour_description(data: bytes | mmap, format_name: str) -> ColourDescription | None:
    """Return what the pixels of a photo mean; None if its profile says so, or if they are sRGB.

    Only photos with a description are converted by it, so all others are rendered as by version
    0.1. The header is enough: `data` may be the first bytes of the file, up to the pixels of a PNG
    and with the `meta` box of an AVIF or HEIC. Malformed values count as missing.
    """
    reader = _READERS.get(format_name)
    return reader(data) if reader else None

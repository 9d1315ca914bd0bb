"""Estimate what decoding a photo costs, by its header."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from safelight.imaging.limits import MAX_DEEP_PIXELS, Header

_EXPENSIVE: Final = 2.0
"""Seconds of processor time. A photo of 12 megapixels takes a tenth of a second."""

_BYTE: Final = 8
_WITH_ALPHA: Final = frozenset({2.5, 4.0})
"""Samples of a HEIF's pixel: colours in a quarter of the size or in all of it, and alpha."""

_BASE: Final = 112 << 20
_BASE_SPACE: Final = 240 << 20
"""Bytes of a decoder that has decoded a small photo; its libraries take address space only."""


_COPIES: Final = {"avif": 1, "heic": 2}
"""Of the file: one by `decode.prepare`, one by `heic.open_heic`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """At most `memory` bytes, with `space` bytes of address space, and usually some `seconds`."""

    memory: int
    space: int
    seconds: float

    @property
    def is_expensive(self) -> bool:
        """Whether decoding takes long."""
        return self.seconds > _EXPENSIVE


def estimate(header: Header, format_name: str, size: int) -> Cost:
    """Return the cost of inspecting or rendering a photo, whichever is higher.

    `size` is that of the file, in bytes, which is mapped. The factors were measured
    (docs/decisions/0024).
    """
    bytes_per_pixel, nanoseconds = _FACTORS[format_name](header)
    memory = _BASE + round(header.pixels * bytes_per_pixel)
    space = _BASE_SPACE + round(header.pixels * bytes_per_pixel) + size
    if format_name == "webp":  # libwebp reserves twice of what it uses.
        space += round(header.pixels * bytes_per_pixel)
    copies = _COPIES.get(format_name, 0) * size
    return Cost(
        memory=memory + copies,
        space=space + copies,
        seconds=header.pixels * header.frames * nanoseconds / 1e9,
    )


def _jpeg(header: Header) -> tuple[float, float]:
    if header.scans == 1:  # It is decoded line by line. Of several, all coefficients are kept.
        return 0.6, 12
    return 2 * header.samples + 1, 12 * header.samples


def _png(header: Header) -> tuple[float, float]:
    is_deep, is_interlaced = header.depth > _BYTE, header.scans > 1
    nanoseconds = 30 * (2 if is_deep else 1) * (3 if is_interlaced else 1)
    if not is_interlaced:  # It is decoded line by line.
        return 1.8, nanoseconds
    return header.samples * header.depth / 8 + 1.8, nanoseconds


def _avif(header: Header) -> tuple[float, float]:
    # In one piece, the codec's own pictures are as large as the image.
    width = _bytes_per_sample(header)
    return (4 * width if header.tiles else 13.5) + 2.3 * header.samples * width, 80


def _heic(header: Header) -> tuple[float, float]:
    # The result is in eight bits, unless `heic.open_heic` may need more.
    width = _bytes_per_sample(header)
    result = 4 if header.samples in _WITH_ALPHA else 3
    planes = header.samples * width
    if header.pixels <= MAX_DEEP_PIXELS:
        result *= width
    elif width > 1:  # Its planes are converted first.
        planes += header.samples
    return result + planes + (0.4 if header.tiles else 3.5), 110 if width > 1 else 85


def _bytes_per_sample(header: Header) -> int:
    return 2 if header.depth > _BYTE else 1


_FACTORS: Final[dict[str, Callable[[Header], tuple[float, float]]]] = {
    "jpeg": _jpeg,
    "png": _png,
    "gif": lambda _: (5.5, 8),
    "webp": lambda _: (11, 40),
    "avif": _avif,
    "heic": _heic,
}
"""Bytes and nanoseconds for each pixel, by format."""

"""Estimate what decoding a photo costs, by its first bytes."""

import struct
from typing import Final

_EXPENSIVE: Final = 2.0
"""Seconds of processor time. A photo of 12 megapixels takes a tenth of a second."""

_IHDR: Final = struct.Struct(">16x2IB3xB")
_PNG_SECONDS: Final = 3e-8
"""For each pixel in eight bits."""
_DEEP, _DEEP_FACTOR = 16, 2
_INTERLACED_FACTOR: Final = 3


def is_expensive(head: bytes, format_name: str) -> bool:
    """Whether a photo is known to take long to decode: a PNG that is large for its kind.

    A PNG of a megabyte may have any number of pixels. For other formats that takes more bytes, or
    is not in the first `formats.HEAD_BYTES`; what they cost shows while they are decoded.
    """
    if format_name != "png" or len(head) < _IHDR.size:
        return False
    width, height, depth, interlaced = _IHDR.unpack_from(head)
    seconds: float = width * height * _PNG_SECONDS
    seconds *= _DEEP_FACTOR if depth == _DEEP else 1
    seconds *= _INTERLACED_FACTOR if interlaced else 1
    return seconds > _EXPENSIVE

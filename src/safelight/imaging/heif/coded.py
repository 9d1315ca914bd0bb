"""Check where the coded data of an AVIF or HEIC starts, which decoders don't for every tile.

libheif leaves a tile of a grid black if it can't decode it, and reports no error. So a file whose
end was never written, which is zeros then, would be taken for a whole one.
"""

from typing import Final

from safelight.imaging.headers.isobmff import Data, Span, boxes

_LENGTH_BYTES: Final = 4
_LENGTH_SIZE_AT: Final = 21
_MAX_OBU_KIND: Final = 8
_PADDING: Final = 15


def has_long_lengths(data: Data, properties: Span) -> bool:
    """Whether the lengths of HEVC units have four bytes, by all properties of the file (`ipco`)."""
    return all(
        data[at + _LENGTH_SIZE_AT] & 3 == _LENGTH_BYTES - 1
        for box, at, _ in boxes(data, *properties)
        if box == b"hvcC"
    )


def is_coded(data: Data, kind: bytes, start: int, length: int, *, long_lengths: bool) -> bool:
    """Whether the first unit of an item can be one of its codec; True where that is unknown.

    Raises IndexError.
    """
    if kind == b"hvc1" and long_lengths:
        # ISO/IEC 14496-15, 8.3.3: a length and a NAL unit, whose first bit is zero.
        unit = int.from_bytes(data[start : start + _LENGTH_BYTES], "big")
        return 2 <= unit <= length - _LENGTH_BYTES and data[start + _LENGTH_BYTES] < 0x80
    if kind == b"av01":
        # AV1 specification, 5.3.2: a zero bit, and the kind of the unit.
        unit = data[start] >> 3
        return 1 <= unit <= _MAX_OBU_KIND or unit == _PADDING
    return True

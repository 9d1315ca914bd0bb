"""Read the colour description of an AVIF or HEIC (ISO/IEC 23008-12, 6.5.5 and 14496-12, 12.1.5)."""

import struct
from typing import Final

from safelight.imaging.colour.description import ColourDescription, from_video_codes
from safelight.imaging.colour.profile import MAX_PROFILE, high_range_of
from safelight.imaging.headers import av1
from safelight.imaging.headers.isobmff import (
    IN_FILE,
    Data,
    Span,
    first_of_each,
    item_properties,
    locations,
    primary_item,
    references,
)

_AV1_CONFIGURATION: Final = 4
"""The bytes of an `av1C` property before the bitstream in it."""
_MAX_STREAM: Final = 256

_Properties = list[tuple[bytes, int, int]]


def read_colour(data: Data) -> ColourDescription | None:
    """Return what the codes of the primary image say; None for a profile, or for sRGB.

    A profile takes precedence, and may have codes of its own, for PQ and HLG. Without any colour
    property, an AV1 bitstream has the codes. A grid whose properties don't describe its colour has
    that of its first tile. Raises CorruptImage, IndexError, KeyError, struct.error.
    """
    start, end = first_of_each(data, 0, len(data))[b"meta"]
    description = _read(data, first_of_each(data, start + 4, end))
    return None if description is None or description.is_srgb else description


def _read(data: Data, meta: dict[bytes, Span]) -> ColourDescription | None:
    item = primary_item(data, meta[b"pitm"][0])
    tiles = _tiles(data, meta, item)
    shown = item_properties(data, meta, item)
    tile = item_properties(data, meta, tiles[0]) if tiles else []
    found = _colours(data, shown) or _colours(data, tile)
    description = None
    if profile := found.get(b"prof") or found.get(b"rICC"):
        description = high_range_of(profile)
    elif codes := found.get(b"nclx"):
        description = from_video_codes(*struct.unpack_from(">HH", codes))
    elif bitstream := _bitstream_codes(data, meta, tile or shown, tiles[0] if tiles else item):
        description = from_video_codes(*bitstream)
    return description.with_peak(_peak(data, [*shown, *tile])) if description else None


def _colours(data: Data, properties: _Properties) -> dict[bytes, bytes]:
    """Return the content of the first colour property of each kind (`colr`)."""
    found: dict[bytes, bytes] = {}
    for kind, start, end in properties:
        if kind == b"colr":
            content = data[start + 4 : min(end, start + MAX_PROFILE)]
            found.setdefault(data[start : start + 4], content)
    return found


def _peak(data: Data, properties: _Properties) -> float:
    """Return the luminance of the brightest pixel (`clli`); 0 if unknown."""
    for kind, start, _ in properties:
        if kind == b"clli":
            return float(struct.unpack_from(">H", data, start)[0])
    return 0.0


def _tiles(data: Data, meta: dict[bytes, Span], item: int) -> list[int]:
    """Return the items that an item is derived from."""
    if b"iref" not in meta:
        return []
    found = references(data, *meta[b"iref"])
    return next((list(tiles) for kind, one, tiles in found if kind == b"dimg" and one == item), [])


def _bitstream_codes(
    data: Data, meta: dict[bytes, Span], properties: _Properties, item: int
) -> tuple[int, int] | None:
    """Return the codes in the AV1 bitstream of an item: those in its configuration, or its data."""
    for kind, start, end in properties:
        if kind == b"av1C":
            configured = av1.read_colour(
                data[start + _AV1_CONFIGURATION : min(end, start + _MAX_STREAM)]
            )
            return configured or av1.read_colour(_first_bytes(data, meta, item))
    return None


def _first_bytes(data: Data, meta: dict[bytes, Span], item: int) -> bytes:
    for one, method, spans in locations(data, *meta[b"iloc"]):
        if one == item and spans:
            first = spans[0][0] + (0 if method == IN_FILE else meta[b"idat"][0])
            return data[first : first + min(spans[0][1], _MAX_STREAM)]
    return b""

"""Read the colour description of an AVIF or HEIC (ISO/IEC 23008-12, 6.5.5 and 14496-12, 12.1.5)."""

import struct
from collections.abc import Iterator
from typing import Final

from safelight import errors
from safelight.imaging.colour.description import ColourDescription, from_video_codes
from safelight.imaging.headers import av1
from safelight.imaging.headers.isobmff import (
    IN_FILE,
    Data,
    Span,
    boxes,
    first_of_each,
    locations,
    primary_item,
    references,
)

_PROFILES: Final = frozenset({b"prof", b"rICC"})
_AV1_CONFIGURATION: Final = 4
"""The bytes of an `av1C` property before the bitstream in it."""
_MAX_STREAM: Final = 256

_Properties = list[tuple[bytes, int, int]]


def read_colour(data: Data) -> ColourDescription | None:
    """Return what the codes of the primary image say; None for a profile, or for sRGB.

    A profile takes precedence (MIAF, ISO/IEC 23000-22, 7.3.6.4, allows either). Without any colour
    property, an AV1 bitstream has the codes. A grid whose properties don't describe its colour has
    that of its first tile.
    """
    try:
        top = first_of_each(data, 0, len(data))
        start, end = top[b"meta"]
        meta = first_of_each(data, start + 4, end)
        description = _read(data, meta)
    except (IndexError, KeyError, struct.error, errors.CorruptImage):
        return None
    return None if description is None or description.is_srgb else description


def _read(data: Data, meta: dict[bytes, Span]) -> ColourDescription | None:
    item = primary_item(data, meta[b"pitm"][0])
    shown = _properties(data, meta, item)
    tiles = _tiles(data, meta, item)
    tile = _properties(data, meta, tiles[0]) if tiles else []
    codes = None
    for properties in (shown, tile):
        kinds = {
            data[start : start + 4]: start + 4
            for kind, start, _ in properties[::-1]
            if kind == b"colr"
        }
        if _PROFILES & kinds.keys():
            return None
        if b"nclx" in kinds:
            codes = struct.unpack_from(">HH", data, kinds[b"nclx"])
            break
    else:
        codes = _bitstream_codes(data, meta, tile or shown, tiles[0] if tiles else item)
    if codes is None:
        return None
    return from_video_codes(*codes).with_peak(_peak(data, [*shown, *tile]))


def _peak(data: Data, properties: _Properties) -> float:
    """Return the luminance of the brightest pixel (`clli`); 0 if unknown."""
    for kind, start, _ in properties:
        if kind == b"clli":
            return float(struct.unpack_from(">H", data, start)[0])
    return 0.0


def _properties(data: Data, meta: dict[bytes, Span], item: int) -> _Properties:
    """Return the properties of an item, in the order in which it names them."""
    tables = first_of_each(data, *meta[b"iprp"])
    every = list(boxes(data, *tables[b"ipco"]))
    numbers = next(
        (found for one, found in _associations(data, *tables[b"ipma"]) if one == item), []
    )
    return [every[number - 1] for number in numbers if 0 < number <= len(every)]


def _associations(data: Data, start: int, end: int) -> Iterator[tuple[int, list[int]]]:
    """Yield each item with the numbers of its properties (`ipma`), which count from one."""
    item_form, item_size = (">I", 4) if data[start] else (">H", 2)
    wide = data[start + 3] & 1
    at = start + 8
    while at + item_size < end:
        (item,) = struct.unpack_from(item_form, data, at)
        count, at = data[at + item_size], at + item_size + 1
        form = f">{count}H" if wide else f">{count}B"
        mask = 0x7FFF if wide else 0x7F
        yield item, [number & mask for number in struct.unpack_from(form, data, at)]
        at += struct.calcsize(form)


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
            configured = av1.read_colour(data[start + _AV1_CONFIGURATION : end])
            return configured or av1.read_colour(_first_bytes(data, meta, item))
    return None


def _first_bytes(data: Data, meta: dict[bytes, Span], item: int) -> bytes:
    for one, method, spans in locations(data, *meta[b"iloc"]):
        if one == item and spans:
            first = spans[0][0] + (0 if method == IN_FILE else meta[b"idat"][0])
            return data[first : first + min(spans[0][1], _MAX_STREAM)]
    return b""

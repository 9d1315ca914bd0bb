"""Find out whether a file contains a location, in any of its blocks of metadata."""

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import zip_longest
from typing import Final

from safelight.imaging import exif
from safelight.imaging.xmp import Property

_MAX_LATITUDE, _MAX_LONGITUDE = 90, 180
_LATITUDES: Final = frozenset({"exif:gpslatitude", "drone-dji:gpslatitude", "geo:lat"})
_LONGITUDES: Final = frozenset(
    {
        *("exif:gpslongitude", "drone-dji:gpslongitude", "geo:long"),
        "drone-dji:gpslongtitude",  # as most of its drones write it
    }
)
"""Names in XMP, in lower case."""

_NUMBER: Final = r"\d{1,12}(?:\.\d{1,20})?(?:/\d{1,12})?"
_COORDINATE: Final = re.compile(
    rf"[+-]?({_NUMBER})(?:,\s*({_NUMBER}))?(?:,\s*({_NUMBER}))?\s*[NSEW]?",
    re.ASCII | re.IGNORECASE,
)


def is_located(exif_blocks: Iterable[bytes], properties: Iterable[Property]) -> bool:
    """Return whether EXIF or XMP contains a latitude and a longitude that can be a place.

    A camera without a fix writes zero degrees for both, or fractions without a value. Those are no
    place, and neither is what exceeds 90 or 180 degrees.
    """
    return any(_is_place(*pair) for pair in (*_from_exif(exif_blocks), *_from_xmp(properties)))


def _is_place(latitude: Fraction | None, longitude: Fraction | None) -> bool:
    if latitude is None or longitude is None:
        return False
    in_range = latitude <= _MAX_LATITUDE and longitude <= _MAX_LONGITUDE
    return in_range and bool(latitude or longitude)


_Pair = tuple[Fraction | None, Fraction | None]


def _from_exif(blocks: Iterable[bytes]) -> Iterator[_Pair]:
    for block in blocks:
        fields = exif.read_exif(block).gps
        yield (
            _degrees(fields.get(exif.GPS_LATITUDE)),
            _degrees(fields.get(exif.GPS_LONGITUDE)),
        )


def _from_xmp(properties: Iterable[Property]) -> Iterator[_Pair]:
    """Yield pairs, nested ones too: IPTC's `LocationCreated` is a structure."""
    sides: tuple[list[Fraction | None], list[Fraction | None]] = ([], [])
    for each in properties:
        for side, names in zip(sides, (_LATITUDES, _LONGITUDES), strict=True):
            if each.name.lower() in names:
                side.append(parse_coordinate(each.value))
    return zip_longest(*sides)


def parse_coordinate(text: str) -> Fraction | None:
    """Parse a coordinate like ``48,51.5N``, ``48,51,30N`` or ``-48.8583``, without its sign.

    Returns degrees (XMP, part 2, 1.2.7.4); None if it isn't one.
    """
    match = _COORDINATE.fullmatch(text.strip())
    if not match:
        return None
    try:
        return _sum(tuple(Fraction(part) if part else None for part in match.groups()))
    except (ValueError, ZeroDivisionError):
        return None


def _degrees(value: exif.Value | None) -> Fraction | None:
    """Return the degrees of a field of up to three fractions."""
    if isinstance(value, str):
        return parse_coordinate(value)
    return _sum(value[:3]) if value else None


def _sum(parts: tuple[Fraction | int | None, ...]) -> Fraction | None:
    """Add degrees, minutes and seconds. There need be no minutes and seconds."""
    if parts[0] is None:
        return None
    scaled = (abs(Fraction(part or 0)) * Fraction(1, 60**power) for power, part in enumerate(parts))
    return sum(scaled, Fraction(0))

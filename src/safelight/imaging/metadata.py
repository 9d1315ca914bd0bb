"""Parse metadata: dates and labels of EXIF (CIPA DC-008, 4.6.5), dates of XMP, colour profiles.

Malformed values count as missing: broken metadata never causes a good photo to be refused.
"""

import codecs
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from safelight.dates import OFFSET, parse_offset
from safelight.imaging.exif import read_exif
from safelight.imaging.xmp import Property
from safelight.models import CaptureDate, DateSource

codecs.lookup("utf-16-be")  # Loads it now: a confined decoder can open no file.

MAX_DATES: Final = 8
"""The maximum number of dates of a photo."""

_TIME: Final = r"([ \d]?\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?![\d:])"
_exif_date: Final = re.compile(
    rf"(\d{{4}})[:/.-](\d\d?)[:/.-](\d\d?)(?:[ T]+{_TIME}(?: *({OFFSET})(?!\d))?|[ :]*\Z)", re.ASCII
).match
_xmp_date: Final = re.compile(
    rf"(\d{{4}})(?:-(\d\d)(?:-(\d\d)(?:[T ]{_TIME}(?:({OFFSET})(?!\d))?)?)?)?\Z", re.ASCII
).match
_fraction: Final = re.compile(r"\d+", re.ASCII).fullmatch

_DATE_TAGS: Final = {
    "DateTimeOriginal": 0x9003,
    "DateTimeDigitized": 0x9004,
    "OffsetTimeOriginal": 0x9011,
    "OffsetTimeDigitized": 0x9012,
    "SubSecTimeOriginal": 0x9291,
    "SubSecTimeDigitized": 0x9292,
}
_LEAST: Final = (0, 1, 1, 0, 0, 0)
_EXIF_KINDS: Final = ("Original", "Digitized")
_XMP_NAMES: Final = ("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate")


def read_dates(
    field: Callable[[str], object], blocks: Iterable[bytes], properties: Sequence[Property]
) -> tuple[CaptureDate, ...]:
    """Return the dates of a file, best first.

    `field` returns a metadata field by libvips' name, and `blocks` are EXIF that has no such names.
    """
    fields = [read_exif(block).photo for block in blocks]

    def text(name: str) -> str | None:
        # Pillow, which reads a HEIC, spells SubSec another way.
        for spelling in (name, name.replace("SubSec", "Subsec")):
            if found := clean_label(field(f"exif-ifd2-{spelling}")):
                return found
        others = (clean_label(each.get(_DATE_TAGS[name])) for each in fields)
        return next(filter(None, others), None)

    return (*exif_dates(text), *xmp_dates(properties))[:MAX_DATES]


def exif_dates(get: Callable[[str], str | None]) -> Iterator[CaptureDate]:
    """Yield the dates of EXIF, best first. `get` returns the text of a tag by name.

    Fractions of a second and the offset are tags of their own, and some programs write them into
    the date.
    """
    for kind in _EXIF_KINDS:
        if not (match := _exif_date(get(f"DateTime{kind}") or "")):
            continue
        subsec = (get(f"SubSecTime{kind}") or "").strip()
        fraction = subsec if _fraction(subsec) else match[7]
        at = _local_time(match.groups()[:6], fraction)
        if at is not None:
            offset = parse_offset(get(f"OffsetTime{kind}") or match[8] or "")
            yield CaptureDate(at=at, offset=offset, source=DateSource.EXIF)


def xmp_dates(properties: Iterable[Property]) -> Iterator[CaptureDate]:
    """Yield the dates of XMP, best first. A date without month or day means the first one."""
    texts: dict[str, str] = {}
    for each in properties:
        if not each.is_nested:
            texts.setdefault(each.name, each.value)
    for name in _XMP_NAMES:
        if match := _xmp_date(texts.get(name, "")):
            at = _local_time(match.groups()[:6], match[7])
            if at is not None:
                offset = parse_offset(match[8] or "")
                yield CaptureDate(at=at, offset=offset, source=DateSource.XMP)


def _local_time(parts: Sequence[str | None], fraction: str | None) -> datetime | None:
    """Return the time on the camera's clock, from year to second, without a time zone."""
    numbers = (int(part or least) for part, least in zip(parts, _LEAST, strict=True))
    year, month, day, hour, minute, second = numbers
    second = 59 if second == 60 else second  # a leap second
    microsecond = int((fraction or "")[:6].ljust(6, "0"))
    try:
        return datetime(year, month, day, hour, minute, second, microsecond)  # noqa: DTZ001, the camera's clock has no zone
    except ValueError:
        return None


MAX_LABEL: Final = 100
"""The maximum number of characters of a label."""

_MAX_FIELD: Final = 1_000
_TAG: Final = struct.Struct(">4sII")
_MAX_TAGS: Final = 100


def clean_label(value: object) -> str | None:
    """Return the text of an EXIF field; None if it is missing or has no text.

    libvips returns each field as ``TEXT (TEXT, ASCII, 5 components, 5 bytes)``.
    """
    if not isinstance(value, str):
        return None
    value = value[:_MAX_FIELD]
    ends = (match.start() for match in re.finditer(r" \(", value))
    texts = (value[:end] for end in ends if value.startswith(f"{value[:end]}, ", end + 2))
    return _printable(next(texts, value))


def icc_profile_name(profile: bytes) -> str | None:
    """Return the description of a colour profile (ICC.1:2022, 9.2.41; `desc` in version 2)."""
    try:
        start, length = _find_description(profile)
        kind, body = profile[start : start + 4], profile[start : start + length]
        if kind == b"desc":
            count = int.from_bytes(body[8:12], "big")
            return _printable(body[12 : 12 + count].decode("latin-1"))
        if kind == b"mluc":
            size, at = struct.unpack_from(">II", body, 20)
            return _printable(body[at : at + size].decode("utf-16-be", "ignore"))
    except (struct.error, LookupError):
        return None
    return None


def _find_description(profile: bytes) -> tuple[int, int]:
    """Return the position and length of the description. Raises LookupError, struct.error."""
    (count,) = struct.unpack_from(">I", profile, 128)
    for number in range(min(count, _MAX_TAGS)):
        name, start, length = _TAG.unpack_from(profile, 132 + _TAG.size * number)
        if name == b"desc":
            return start, length
    raise LookupError


def _printable(text: str) -> str | None:
    return "".join(filter(str.isprintable, text)).strip()[:MAX_LABEL] or None

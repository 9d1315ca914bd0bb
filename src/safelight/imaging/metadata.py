"""Parse metadata: capture time and labels of EXIF (CIPA DC-008, 4.6.5), and colour profiles.

Malformed values count as missing: broken metadata never causes a good photo to be refused.
"""

import codecs
import re
import struct
from datetime import datetime, timedelta
from typing import Final

codecs.lookup("utf-16-be")  # Loads it now: a confined decoder can open no file.

_DATE_TIME: Final = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)(?!\d)", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])(\d\d):(\d\d)(?!\d)", re.ASCII)
_MAX_OFFSET: Final = timedelta(hours=14)
"""The largest offset from UTC in use (12 hours to the west)."""


def parse_date_time(text: str) -> datetime | None:
    """Parse DateTimeOriginal: the time on the camera's clock, without a time zone."""
    if not (match := _DATE_TIME.match(text)):
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001, the field has no time zone
    except ValueError:
        return None


def parse_offset(text: str) -> timedelta | None:
    """Parse OffsetTimeOriginal: the offset of the camera's clock from UTC."""
    if not (match := _OFFSET.match(text)):
        return None
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    return offset if abs(offset) <= _MAX_OFFSET and int(minutes) < 60 else None


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

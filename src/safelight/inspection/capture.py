"""When a photo was taken, from the text of its EXIF fields (CIPA DC-008, 4.6.5).

What isn't well formed is as good as absent: broken metadata never rejects a good picture.
"""

import re
from datetime import datetime, timedelta
from typing import Final

_DATE_TIME: Final = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)(?!\d)", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])(\d\d):(\d\d)(?!\d)", re.ASCII)
_FARTHEST: Final = timedelta(hours=14)
"""No place on earth keeps its clock farther from UTC (12 hours to the west)."""


def parse_date_time(text: str) -> datetime | None:
    """Read DateTimeOriginal as the camera's clock showed it, without a time zone."""
    if not (match := _DATE_TIME.match(text)):
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001, nor did the camera
    except ValueError:
        return None


def parse_offset(text: str) -> timedelta | None:
    """Read OffsetTimeOriginal: how far the camera's clock was ahead of UTC."""
    if not (match := _OFFSET.match(text)):
        return None
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    return offset if abs(offset) <= _FARTHEST and int(minutes) < 60 else None  # noqa: PLR2004

"""Capture dates: which can be true, which source counts, and what file names say.

All are local times of the camera, without a time zone. The sources, best first: EXIF, XMP, the
file's name, the time when the file was modified.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from safelight.errors import InvalidRequest
from safelight.models import CaptureDate, DateSource, ImageFacts

EARLIEST: Final = datetime.fromisoformat("1800-01-01")
"""Before the first photograph."""
MAX_AHEAD: Final = timedelta(days=1)
"""How far a date may be in the future: clocks differ, and so do time zones."""
MAX_OFFSET: Final = timedelta(hours=14)
"""The largest offset from UTC in use (12 hours to the west)."""

_EARLIEST_NAME: Final = datetime.fromisoformat("1990-01-01")
"""Before the first camera that wrote dates into names."""
_EARLIEST_FILE: Final = datetime.fromisoformat("1980-01-03")
"""After the epochs of Unix and FAT, which lost file times become."""

OFFSET: Final = r"Z|[+-]\d\d:?\d\d"
"""The pattern of an offset from UTC."""

_iso: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:(?<=:\d\d:\d\d)[.,](\d{1,9}))?"
    rf"({OFFSET}|z)?)?",
    re.ASCII,
).fullmatch
_offset: Final = re.compile(rf"({OFFSET})(?!\d)", re.ASCII).match

_DAY: Final = (
    r"(?<![0-9])(?P<year>(?:19|20)[0-9]{2})(?P<dash>[-_.]?)"
    r"(?P<month>0[1-9]|1[0-2])(?P=dash)(?P<day>0[1-9]|[12][0-9]|3[01])"
)
_BETWEEN: Final = r"(?:[-_ T.,]{1,3}| \w{1,8} (?:\w{1,4} )?|)"
_TIME: Final = (
    r"(?P<hour>[01][0-9]|2[0-3]|(?<![0-9])[0-9](?=[-_.:]))(?P<colon>[-_.:]?)"
    r"(?P<minute>[0-5][0-9])(?P=colon)(?P<second>[0-5][0-9])"
    r"(?:(?:(?<=[0-9]{6})|(?<=[-.][0-9]{2})[-.])(?P<millisecond>[0-9]{3}))?(?![0-9])"
    r"(?:\s?(?P<half>[AaPp])[Mm]\b)?"
)
_in_name: Final = re.compile(rf"{_DAY}(?:{_BETWEEN}{_TIME}|(?![0-9A-Za-z]))").finditer


def parse_offset(text: str) -> timedelta | None:
    """Parse an offset from UTC: ``+02:00``, ``-0330`` or ``Z``; None if it is malformed."""
    if not (match := _offset(text)):
        return None
    if match[1] == "Z":
        return timedelta(0)
    sign, hours, minutes = match[1][0], int(match[1][1:3]), int(match[1][-2:])
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if sign == "-" else 1)
    return offset if abs(offset) <= MAX_OFFSET and minutes < 60 else None


def parse_time(text: str) -> datetime:
    """Parse a date or a time in ISO 8601, with an offset from UTC or without.

    Raises InvalidRequest.
    """
    match = _iso(text.strip())
    try:
        day, time, fraction, offset = match.groups() if match else ("", None, None, None)
        at = datetime.fromisoformat(
            f"{day}T{time or '00:00'}" + (f".{fraction[:6]:0<6}" if fraction else "")
        )
    except ValueError as error:
        raise _malformed() from error
    if offset is None:
        return at
    parsed = parse_offset(offset.upper())
    if parsed is None:
        raise _malformed()
    return at.replace(tzinfo=timezone(parsed))


def _malformed() -> InvalidRequest:
    return InvalidRequest(
        "The time is not valid. Write it like 2024-05-06T07:08:09, or with an offset from UTC:"
        " 2024-05-06T07:08:09+02:00."
    )


def parse_modified_at(text: str) -> datetime:
    """Parse the time when a file was modified (RFC 3339). Raises InvalidRequest."""
    time = parse_time(text)
    if time.tzinfo is None:
        raise InvalidRequest(
            "The modified_at needs an offset from UTC, as in 2024-05-06T07:08:09+02:00."
        )
    return time


def choose_date(
    facts: ImageFacts, *, filename: str, modified_at: datetime | None, now: datetime
) -> ImageFacts:
    """Return the facts with the first of all dates that can be true, or with none.

    `modified_at` is when the file was modified, if the client sent it, with an offset from UTC.
    """
    dates = [*facts.dates, *dates_in_name(filename)]
    if modified_at and (at := modified_at.replace(tzinfo=None)) >= _EARLIEST_FILE:
        dates.append(CaptureDate(at=at, offset=modified_at.utcoffset(), source=DateSource.FILE))
    for date in dates:
        if is_possible(date, now=now):
            return replace(
                facts, taken_at=date.at, taken_offset=date.offset, taken_from=date.source
            )
    return replace(facts, taken_at=None, taken_offset=None, taken_from=None)


def latest_local_time(now: datetime) -> datetime:
    """Return the latest possible capture time."""
    return now.astimezone(UTC).replace(tzinfo=None) + MAX_AHEAD


def is_possible(date: CaptureDate, *, now: datetime) -> bool:
    """Whether a date is neither before the first photograph nor more than a day in the future."""
    latest = latest_local_time(now)
    return EARLIEST <= date.at <= latest and date.at - (date.offset or timedelta(0)) <= latest


def user_date(time: datetime, *, now: datetime) -> CaptureDate:
    """Return the date that a user gave. Raises InvalidRequest if it can't be true."""
    date = CaptureDate(
        at=time.replace(tzinfo=None), offset=time.utcoffset(), source=DateSource.USER
    )
    if not is_possible(date, now=now):
        raise impossible_date("The date is")
    return date


def impossible_date(subject: str) -> InvalidRequest:
    """Return the error for a date that can't be true."""
    return InvalidRequest(f"{subject} before the year {EARLIEST.year} or in the future.")


def dates_in_name(filename: str) -> Iterator[CaptureDate]:
    """Yield the dates in a file's name, such as ``IMG_20190507_123456.jpg``.

    Without a time, a date means its first moment. What looks like a part of a hash is no date.
    """
    for match in _in_name(filename):
        if _follows_digit(filename, match.start()):
            continue
        hour = int(match["hour"] or 0)
        if match["half"] and 1 <= hour <= 12:
            hour = hour % 12 + (12 if match["half"] in "Pp" else 0)
        day = "-".join(match.group("year", "month", "day"))
        time = f"{hour:02}:{match['minute'] or '00'}:{match['second'] or '00'}"
        try:
            at = datetime.fromisoformat(f"{day}T{time}.{match['millisecond'] or '000'}")
        except ValueError:
            continue
        if at >= _EARLIEST_NAME:
            yield CaptureDate(at=at, source=DateSource.FILENAME)


def _follows_digit(name: str, at: int) -> bool:
    """Whether the word that leads to this position contains a digit."""
    for character in reversed(name[:at]):
        if not (character.isascii() and character.isalnum()):
            return False
        if character.isdigit():
            return True
    return False

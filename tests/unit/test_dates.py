"""Capture dates: what EXIF, XMP and names of files say, which can be true, and which counts."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.dates import (
    EARLIEST,
    choose_date,
    dates_in_name,
    is_possible,
    parse_modified_at,
    parse_offset,
    parse_time,
    user_date,
)
from safelight.errors import InvalidRequest
from safelight.imaging.metadata import exif_dates, xmp_dates
from safelight.imaging.xmp import Property
from safelight.models import CaptureDate, DateSource, ImageFacts

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def exif_times(**fields: str) -> list[str]:
    dates = exif_dates(fields.get)
    return [date.at.isoformat() + (f" {date.offset}" if date.offset else "") for date in dates]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2017:06:17 20:35:13", "2017-06-17T20:35:13"),
        ("2017-06-17 20:35:13", "2017-06-17T20:35:13"),
        ("2017/06/17 20:35:13", "2017-06-17T20:35:13"),
        ("2017.06.17 20:35:13", "2017-06-17T20:35:13"),
        ("2017-06-17T20:35:13", "2017-06-17T20:35:13"),
        ("2017:6:7  8:05:03", "2017-06-07T08:05:03"),
        ("2017:06:17 20:35", "2017-06-17T20:35:00"),
        ("2017:06:17 20:35:13.25", "2017-06-17T20:35:13.250000"),
        ("2017:06:17 20:35:13+02:00", "2017-06-17T20:35:13 2:00:00"),
        ("2017:06:17 20:35:60", "2017-06-17T20:35:59"),
        ("2017:06:17", "2017-06-17T00:00:00"),
        ("2017:06:17   :  :  ", "2017-06-17T00:00:00"),
        ("0000:00:00 00:00:00", None),
        ("2017:02:30 20:35:13", None),
        ("2017:06:17 24:00:00", None),
        ("2017:06:17 20:35:1X", None),
        ("2017:06:17 20:35:131", None),
        ("    :  :     :  :  ", None),
        ("٢٠١٧:06:17 20:35:13", None),
        ("None", None),
        ("", None),
    ],
)
def test_date_of_exif_is_parsed_or_ignored(text: str, time: str | None) -> None:
    assert exif_times(DateTimeOriginal=text) == ([time] if time else [])


@pytest.mark.parametrize(
    ("subsec", "fraction"),
    [("1", ".100000"), ("001", ".001000"), ("1234567", ".123456"), (" 5 ", ".500000")]
    + [(text, "") for text in ("", "0", "-5", "x", "٢", "1.5")],
)
def test_fraction_of_a_second_is_read(subsec: str, fraction: str) -> None:
    time = "2017:06:17 20:35:13"
    assert exif_times(DateTimeOriginal=time, SubSecTimeOriginal=subsec) == [
        f"2017-06-17T20:35:13{fraction}"
    ]


def test_each_date_of_exif_has_its_own_offset_and_fraction() -> None:
    assert exif_times(
        DateTimeDigitized="2018:01:02 03:04:05",
        OffsetTimeDigitized="-08:00",
        SubSecTimeOriginal="5",
        DateTimeOriginal="2017:06:17 20:35:13",
    ) == ["2017-06-17T20:35:13.500000", "2018-01-02T03:04:05 -1 day, 16:00:00"]


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("+02:00", timedelta(hours=2)),
        ("-07:30 (-07:30, ASCII, 7 components, 7 bytes)", timedelta(hours=-7.5)),
        ("+0530", timedelta(hours=5.5)),
        ("+00:00", timedelta(0)),
        ("Z", timedelta(0)),
        ("+14:00", timedelta(hours=14)),
        ("+14:01", None),
        ("-99:99", None),
        ("+01:75", None),
        ("   :  ", None),
    ],
)
def test_offset_is_parsed_or_ignored(text: str, offset: timedelta | None) -> None:
    assert parse_offset(text) == offset


def xmp_times(**values: str) -> list[str]:
    dates = xmp_dates(
        Property(name=name.replace("_", ":"), value=value, is_nested=False)
        for name, value in values.items()
    )
    return [date.at.isoformat() + (f" {date.offset}" if date.offset else "") for date in dates]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2017-06-17T20:35:13.25+02:00", "2017-06-17T20:35:13.250000 2:00:00"),
        ("2017-06-17T20:35Z", "2017-06-17T20:35:00"),
        ("2017-06-17 20:35:13", "2017-06-17T20:35:13"),
        ("2017-06-17", "2017-06-17T00:00:00"),
        ("2017-06", "2017-06-01T00:00:00"),
        ("2017", "2017-01-01T00:00:00"),
        ("2017-13", None),
        ("17", None),
        ("2017-06-17T20", None),
        ("yesterday", None),
    ],
)
def test_date_of_xmp_is_parsed_or_ignored(text: str, time: str | None) -> None:
    assert xmp_times(xmp_CreateDate=text) == ([time] if time else [])


def test_dates_of_xmp_are_in_the_order_of_their_worth() -> None:
    assert xmp_times(
        xmp_CreateDate="2017", photoshop_DateCreated="2016", exif_DateTimeOriginal="2015"
    ) == ["2015-01-01T00:00:00", "2016-01-01T00:00:00", "2017-01-01T00:00:00"]


def test_date_of_a_part_of_xmp_is_ignored() -> None:
    part = Property(name="xmp:CreateDate", value="2017", is_nested=True)
    assert list(xmp_dates([part])) == []


NAMES = {
    "IMG_20190507_123456.jpg": "2019-05-07T12:34:56",
    "IMG_20190507_123456_001.jpg": "2019-05-07T12:34:56",
    "IMG_20190507_123456_HDR.jpg": "2019-05-07T12:34:56",
    "IMG20190507123456.jpg": "2019-05-07T12:34:56",
    "MVIMG_20190507_123456.jpg": "2019-05-07T12:34:56",
    "PXL_20201120_201045123.jpg": "2020-11-20T20:10:45.123000",
    "PXL_20201120_201045123.PORTRAIT.jpg": "2020-11-20T20:10:45.123000",
    "00100dPORTRAIT_00100_BURST20190507123456789_COVER.jpg": "2019-05-07T12:34:56.789000",
    "IMG-20190507-WA0001.jpg": "2019-05-07T00:00:00",
    "WhatsApp Image 2019-05-07 at 12.34.56 (1).jpeg": "2019-05-07T12:34:56",
    "Screenshot_2019-05-07-12-34-56.png": "2019-05-07T12:34:56",
    "Screenshot_20190507-123456_Chrome.jpg": "2019-05-07T12:34:56",
    "Screenshot from 2019-05-07 12-34-56.png": "2019-05-07T12:34:56",
    "Screen Shot 2019-05-07 at 3.34.56 PM.png": "2019-05-07T15:34:56",
    "Screenshot 2019-05-07 at 12.34.56\u202fAM.png": "2019-05-07T00:34:56",
    "Captura de pantalla 2019-05-07 a las 12.34.56.png": "2019-05-07T12:34:56",
    "signal-2019-05-07-12-34-56-789.jpg": "2019-05-07T12:34:56.789000",
    "photo_2019-05-07_12-34-56.jpg": "2019-05-07T12:34:56",
    "2019-05-07T12:34:56Z.jpg": "2019-05-07T12:34:56",
    "20190507123456.jpg": "2019-05-07T12:34:56",
    "WP_20140507_12_34_56_Pro.jpg": "2014-05-07T12:34:56",
    "截屏2019-05-07 12.34.56.png": "2019-05-07T12:34:56",
    "2019_05_07 party.jpg": "2019-05-07T00:00:00",
    "IMG_20190507_253456.jpg": "2019-05-07T00:00:00",
    "DSC01234.jpg": None,
    "IMG_20190532_123456.jpg": None,
    "IMG_20190230.jpg": None,
    "IMG_18990507_123456.jpg": None,
    "IMG_19800101_000000.jpg": None,
    "20150101123_abc.jpg": None,
    "5f20190507ac.jpg": None,
    "d20190507abcdef.jpg": None,
    "2019-0507.jpg": None,
    "1557225296123.jpg": None,
    "": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_date_in_a_name_is_read_or_ignored(name: str) -> None:
    found = [date.at.isoformat() for date in dates_in_name(name)]
    assert found == ([NAMES[name]] if NAMES[name] else [])


@given(st.text(max_size=60) | st.text("0129-_. :TaAPM", max_size=60))
def test_any_text_is_parsed_without_error(text: str) -> None:
    exif_times(DateTimeOriginal=text, SubSecTimeOriginal=text, OffsetTimeOriginal=text)
    xmp_times(xmp_CreateDate=text)
    list(dates_in_name(text))
    parse_offset(text)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 31)))  # noqa: DTZ001, local times
def test_any_time_in_a_name_is_read(time: datetime) -> None:
    whole = time.replace(microsecond=0)
    for name in ("IMG_%Y%m%d_%H%M%S.jpg", "%Y-%m-%d %H.%M.%S.jpg", "A_%Y-%m-%d-%H-%M-%S.png"):
        assert [date.at for date in dates_in_name(f"{time:{name}}")] == [whole]


@given(st.datetimes(), st.none() | st.integers(-14 * 60, 14 * 60))
def test_time_in_iso_8601_survives_a_round_trip(local_time: datetime, minutes: int | None) -> None:
    zone = None if minutes is None else timezone(timedelta(minutes=minutes))
    time = local_time.replace(tzinfo=zone)
    assert parse_time(time.isoformat()) == time
    assert parse_time(time.isoformat()).utcoffset() == time.utcoffset()


@pytest.mark.parametrize(
    "text",
    [
        *("", "2024", "2024-05", "24-05-06", "2024-13-01", "2024-05-06T24:00:00", "2024-W01-1"),
        *("2024-05-06T07", "2024-05-06T07:08:09+15:00", "0000-01-01", "2024-05-06T07:08.5"),
        *("٢٠٢٤-05-06", "now", "20240506", "2024-05-06T07:08:09 +02:00"),
    ],
)
def test_malformed_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="Write it like"):
        parse_time(text)


def test_time_of_a_file_needs_an_offset() -> None:
    assert parse_modified_at("2024-05-06t07:08:09.5z") == datetime(
        2024, 5, 6, 7, 8, 9, 500_000, tzinfo=UTC
    )
    with pytest.raises(InvalidRequest, match="offset"):
        parse_modified_at("2024-05-06T07:08:09")


IMPOSSIBLE = [
    ("0001-01-01T00:00:00", None),
    ("0001-01-01T00:00:00", 14),
    ("1799-12-31T23:59:59", None),
    ("2026-05-02T12:00:01", None),
    ("2026-05-02T11:00:00", -2),
    ("2099-01-01T00:00:00", None),
    ("9999-12-01T00:00:00", None),
    ("9999-12-31T23:59:59", -12),
]


@pytest.mark.parametrize(("time", "hours"), IMPOSSIBLE)
def test_date_that_cannot_be_true_is_unknown(time: str, hours: int | None) -> None:
    offset = None if hours is None else timedelta(hours=hours)
    date = CaptureDate(at=local(time), offset=offset, source=DateSource.EXIF)
    assert not is_possible(date, now=NOW)
    facts = choose_date(facts_with(date), filename="", modified_at=None, now=NOW)
    assert (facts.taken_at, facts.taken_offset, facts.taken_from) == (None, None, None)
    zone = None if offset is None else timezone(offset)
    with pytest.raises(InvalidRequest, match="before the year 1800 or in the future"):
        user_date(local(time).replace(tzinfo=zone), now=NOW)


@pytest.mark.parametrize("time", ["1800-01-01T00:00:00", "2026-05-02T12:00:00"])
def test_dates_at_the_limits_are_possible(time: str) -> None:
    assert is_possible(CaptureDate(at=local(time), source=DateSource.EXIF), now=NOW)


def facts_with(*dates: CaptureDate) -> ImageFacts:
    return ImageFacts(format="jpeg", content_type="image/jpeg", width=1, height=1, dates=dates)


def test_first_date_that_can_be_true_counts() -> None:
    dates = [
        CaptureDate(at=local("9999-12-31T23:59:59"), source=DateSource.EXIF),
        CaptureDate(at=local("2019-05-06T07:08:09"), offset=timedelta(0), source=DateSource.XMP),
    ]
    name, modified_at = "IMG_20180102_030405.jpg", datetime(2017, 1, 1, tzinfo=UTC)
    sources = []
    for found, filename, modified in (
        (dates, name, modified_at),
        (dates[:1], name, modified_at),
        (dates[:1], "IMG_20990102_030405.jpg", modified_at),
        (dates[:1], "cat.jpg", None),
    ):
        facts = choose_date(facts_with(*found), filename=filename, modified_at=modified, now=NOW)
        sources.append((facts.taken_at and facts.taken_at.isoformat(), facts.taken_from))
    assert sources == [
        ("2019-05-06T07:08:09", "xmp"),
        ("2018-01-02T03:04:05", "filename"),
        ("2017-01-01T00:00:00", "file"),
        (None, None),
    ]


@pytest.mark.parametrize("modified_at", ["1970-01-01T00:00:00Z", "1979-12-31T16:00:00-08:00"])
def test_epoch_of_a_file_system_is_no_date(modified_at: str) -> None:
    facts = choose_date(
        facts_with(), filename="", modified_at=parse_modified_at(modified_at), now=NOW
    )
    assert facts.taken_at is None


@given(st.datetimes(), st.none() | st.timedeltas(-timedelta(hours=14), timedelta(hours=14)))
def test_chosen_date_can_be_stored_and_shown(at: datetime, offset: timedelta | None) -> None:
    """PostgreSQL and JavaScript can add a month to it, and it has an instant."""
    date = CaptureDate(at=at, offset=offset, source=DateSource.EXIF)
    facts = choose_date(facts_with(date), filename="", modified_at=None, now=NOW)
    if facts.taken_at is not None:
        assert EARLIEST <= facts.taken_at < datetime(2026, 5, 3)  # noqa: DTZ001, a local time
        assert facts.taken_at.replace(tzinfo=UTC) - (facts.taken_offset or timedelta(0))

"""Header readers, limits, and EXIF times: all that is checked before decoding."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight import errors
from safelight.imaging.headers import gif, heif, jpeg, png, webp
from safelight.imaging.limits import DecodeLimits, Header, check_limits
from safelight.imaging.metadata import parse_date_time, parse_offset
from support import pictures

READERS: dict[str, Callable[[bytes], Header]] = {
    "jpeg": jpeg.read_header,
    "png": png.read_header,
    "gif": gif.read_header,
    "webp": webp.read_header,
    "avif": heif.read_header,
    "heic": heif.read_header,
}
SMALL = {
    "jpeg": pictures.jpeg(16, 16),
    "png": pictures.animated("PNG", 3, 16, 16),
    "gif": pictures.animated("GIF", 3, 16, 16),
    "webp": pictures.animated("WEBP", 3, 16, 16),
    "avif": pictures.avif(16, 16),
    "heic": pictures.heic(16, 16),
}
PHOTOGRAPHS = pictures.photographs()
ANIMATIONS = {form: pictures.animated(form) for form in ("GIF", "PNG", "WEBP")}
LIMITS = DecodeLimits(
    max_pixels=1_000,
    max_frames=10,
    max_total_pixels=5_000,
    cpu_seconds=1,
    address_space=1 << 30,
    max_scans=20,
)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_header_has_size_and_frames(name: str) -> None:
    header = READERS[name.rsplit(maxsplit=1)[-1]](PHOTOGRAPHS[name])
    assert (header.width, header.height) == (256, 192)
    assert header.frames == (3 if "animated" in name else 1)


@pytest.mark.parametrize(
    ("form", "data", "size"),
    [
        ("jpeg", pictures.jpeg_claiming(60_000, 50_000), (60_000, 50_000)),
        ("avif", pictures.heif_claiming(pictures.avif(), 60_000, 50_000), (60_000, 50_000)),
        ("heic", pictures.heif_grid_of(pictures.heic(), 60_000, 50_000), (60_000, 50_000)),
        ("jpeg", pictures.jpeg_claiming(60_000, 50_000, progressive=True), (60_000, 50_000)),
        ("png", pictures.png_of_zeros(50_000, 20), (50_000, 20)),
        ("gif", pictures.gif_of_frames(1, 65_535, 65_534), (65_535, 65_534)),
        ("webp", pictures.webp_of_one_colour(16_383, 16_382), (16_383, 16_382)),
        ("webp", pictures.webp_of_frames(1, 16_000_000, 255), (16_000_000, 255)),
    ],
)
def test_header_is_read_without_pixel_data(form: str, data: bytes, size: tuple[int, int]) -> None:
    header = READERS[form](data)
    assert (header.width, header.height) == size


def test_frames_and_scans_are_counted() -> None:
    assert gif.read_header(pictures.gif_of_frames(5_000)).frames == 5_000
    assert webp.read_header(pictures.webp_of_frames(2_000, 64, 48)).frames == 2_000
    assert jpeg.read_header(pictures.jpeg_of_scans(882)).scans == 882
    assert jpeg.read_header(pictures.jpeg()).scans == 1


def test_heif_must_contain_all_items_of_shown_image() -> None:
    grid = pictures.heif_grid(pictures.heic(64, 64), 2, 2)
    assert heif.read_header(grid).pixels == 128 * 128
    with pytest.raises(errors.CorruptImage):
        heif.read_header(grid[:-1])
    pair = pictures.heic_pair()
    assert heif.read_header(pair[:-1]).pixels == 256 * 192
    for cut in (20, 100, len(pair) // 2):
        with pytest.raises(errors.CorruptImage):
            heif.read_header(pair[:-cut])


def test_apng_frames_and_delays_are_summed() -> None:
    animation = pictures.animated("PNG", 5)
    assert png.read_header(animation).duration == timedelta(milliseconds=200)
    first = png.read_header(pictures.png_before_its_animation())
    assert (first.frames, first.duration) == (3, timedelta(milliseconds=2 * 40))
    hundredths = pictures.png_of_delays((3, 0), (0, 7), (1, 4))
    assert png.read_header(hundredths).duration == timedelta(milliseconds=30 + 250)
    assert png.read_header(pictures.png()).duration is None


def test_scans_after_end_marker_are_ignored() -> None:
    for between in (b"", b"\0\2"):  # The second could be the length of a segment.
        tail = between + pictures.jpeg_of_scans(50)
        assert jpeg.read_header(pictures.jpeg() + tail).scans == 1


def test_first_gif_frame_larger_than_canvas_extends_it() -> None:
    data = bytearray(pictures.gif(100, 80))
    data[6:10] = bytes(4)
    header = gif.read_header(bytes(data))
    assert (header.width, header.height) == (100, 80)


def test_apng_control_after_pixels_is_ignored() -> None:
    still = pictures.png()
    end = pictures.png_chunks(still)[-1][1]
    late = pictures.png_chunk(b"acTL", bytes([0, 0, 0, 9, 0, 0, 0, 0]))
    assert png.read_header(still[:end] + late + still[end:]).frames == 1


@pytest.mark.parametrize("percent", range(5, 100, 5))
@pytest.mark.parametrize("form", ANIMATIONS)
def test_truncated_animation_is_refused(form: str, percent: int) -> None:
    with pytest.raises(errors.CorruptImage):
        READERS[form.lower()](pictures.truncate(ANIMATIONS[form], percent))


def test_gif_truncated_between_frames_is_refused() -> None:
    cuts = pictures.gif_cuts_between_frames(pictures.animated("GIF", 5))
    assert len(cuts) == 4
    for data in cuts:
        with pytest.raises(errors.CorruptImage):
            gif.read_header(data)


def test_gif_may_contain_stray_zeros_but_no_junk_between_blocks() -> None:
    data = pictures.gif()
    assert gif.read_header(data[:-1] + bytes(3) + data[-1:]).frames == 1
    with pytest.raises(errors.CorruptImage):
        gif.read_header(data[:-1] + b"\x99" + data[-1:])


@pytest.mark.parametrize("kind", [b"fcTL", b"fdAT"])
def test_apng_frame_with_wrong_crc_is_refused(kind: bytes) -> None:
    data = bytearray(pictures.animated("PNG"))
    end = next(end for name, _, end in pictures.png_chunks(data) if name == kind)
    data[end - 5] ^= 0x01
    with pytest.raises(errors.CorruptImage):
        png.read_header(bytes(data))


@pytest.mark.parametrize("form", READERS)
@given(data=st.binary(max_size=200))
def test_noise_after_magic_bytes_is_read_or_refused(form: str, data: bytes) -> None:
    magic = {
        "jpeg": b"\xff\xd8\xff",
        "png": pictures.PNG_SIGNATURE,
        "gif": b"GIF89a",
        "webp": b"RIFF\x40\0\0\0WEBPVP8X",
        "avif": b"\0\0\0\x10ftypavif\0\0\0\0\0\0\0\0meta",
        "heic": b"\0\0\0\x10ftypheic\0\0\0\0\0\0\0\0meta",
    }
    _read_or_refuse(form, magic[form] + data)


@pytest.mark.parametrize("form", READERS)
@given(data=st.data())
def test_mutated_photo_is_read_or_refused(form: str, data: st.DataObject) -> None:
    picture = bytearray(SMALL[form])
    for _ in range(data.draw(st.integers(1, 8))):
        picture[data.draw(st.integers(0, len(picture) - 1))] = data.draw(st.integers(0, 255))
    _read_or_refuse(form, bytes(picture)[: data.draw(st.integers(0, len(picture)))])


def _read_or_refuse(form: str, data: bytes) -> None:
    try:
        header = READERS[form](data)
    except errors.CorruptImage:
        return
    assert header.frames >= 1


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("jpeg", b"\xff\xd8" + b"\xff" * 4_000_000),
        ("jpeg", b"\xff\xd8" + b"\xff\xfe\0\2" * 500_000),
        ("jpeg", b"\xff\xd8" + b"\xff\x01" * 1_000_000),
        ("png", pictures.png(16, 16) + b"\0\0\0\0aaaa\0\0\0\0" * 100_000),
        ("gif", b"GIF89a" + bytes(7) + b"\0" * 2_000_000),
        ("gif", b"GIF89a" + bytes(7) + b"\x21\xff" + b"\1\1" * 1_000_000),
        ("webp", pictures.riff((b"VP8X", b"\2" + bytes(9)), *[(b"ANMF", b"")] * 200_000)),
    ],
)
def test_long_header_takes_linear_time(form: str, data: bytes) -> None:
    began = time.process_time()
    _read_or_refuse(form, data)
    assert time.process_time() - began < 10  # Quadratic time would be hours.


@pytest.mark.parametrize(
    ("header", "refusal", "message"),
    [
        (Header(width=1_001, height=1), errors.TooManyPixels, r"1,001 pixels\. The limit is 1,000"),
        (
            Header(width=1, height=1, frames=11),
            errors.TooManyFrames,
            r"11 frames\. The limit is 10",
        ),
        (Header(width=1_000, height=1, frames=6), errors.TooManyFrames, "6,000 pixels in all"),
        (Header(width=1, height=1, scans=21), errors.CorruptImage, r"21 scans\. The limit is 20"),
        (Header(width=0, height=5), errors.CorruptImage, "no size"),
        (Header(width=5, height=0), errors.CorruptImage, "no size"),
    ],
)
def test_refusal_states_value_and_limit(
    header: Header, refusal: type[errors.Invalid], message: str
) -> None:
    with pytest.raises(refusal, match=message):
        check_limits(header, LIMITS)


def test_header_at_all_limits_is_accepted() -> None:
    check_limits(Header(width=500, height=1, frames=10, scans=20), LIMITS)
    check_limits(Header(width=100, height=10), LIMITS)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2017:06:17 20:35:13", datetime(2017, 6, 17, 20, 35, 13)),  # noqa: DTZ001, no time zone in EXIF
        ("2017:06:17 20:35:13 (2017:06:17 20:35:13, ASCII, 20 components, 20 bytes)",
         datetime(2017, 6, 17, 20, 35, 13)),  # noqa: DTZ001
        ("0000:00:00 00:00:00", None),
        ("2017:02:30 20:35:13", None),
        ("2017:06:17 24:00:00", None),
        ("    :  :     :  :  ", None),
        ("2017-06-17T20:35:13", None),
        ("٢٠١٧:06:17 20:35:13", None),
        ("None", None),
        ("", None),
    ],
)  # fmt: skip
def test_date_time_is_parsed_or_ignored(text: str, moment: datetime | None) -> None:
    assert parse_date_time(text) == moment


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("+02:00", timedelta(hours=2)),
        ("-07:30 (-07:30, ASCII, 7 components, 7 bytes)", timedelta(hours=-7.5)),
        ("+00:00", timedelta(0)),
        ("+14:00", timedelta(hours=14)),
        ("+14:01", None),
        ("-99:99", None),
        ("+01:75", None),
        ("Z", None),
        ("   :  ", None),
    ],
)
def test_offset_is_parsed_or_ignored(text: str, offset: timedelta | None) -> None:
    assert parse_offset(text) == offset


@given(st.text(max_size=40))
def test_any_text_is_parsed_without_error(text: str) -> None:
    parse_date_time(text)
    parse_offset(text)

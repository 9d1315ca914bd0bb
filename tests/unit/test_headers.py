"""What a header tells, before one byte of it reaches a decoder."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pictures
from safelight import errors
from safelight.inspection import gif, heif, jpeg, png, webp
from safelight.inspection.capture import parse_date_time, parse_offset
from safelight.inspection.limits import DecodeLimits, Header, admit

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
def test_a_header_tells_the_size_and_the_frames(name: str) -> None:
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
def test_a_header_is_read_though_its_pixels_are_not_there(
    form: str, data: bytes, size: tuple[int, int]
) -> None:
    header = READERS[form](data)
    assert (header.width, header.height) == size


def test_frames_and_scans_are_counted_one_by_one() -> None:
    assert gif.read_header(pictures.gif_of_frames(5_000)).frames == 5_000
    assert webp.read_header(pictures.webp_of_frames(2_000, 64, 48)).frames == 2_000
    assert jpeg.read_header(pictures.jpeg_of_scans(882)).scans == 882
    assert jpeg.read_header(pictures.jpeg()).scans == 1


def test_all_that_the_picture_shown_is_made_of_must_be_there() -> None:
    grid = pictures.heif_grid(pictures.heic(64, 64), 2, 2)
    assert heif.read_header(grid).pixels == 128 * 128
    with pytest.raises(errors.CorruptImage):
        heif.read_header(grid[:-1])
    pair = pictures.heic_pair()
    assert heif.read_header(pair[:-1]).pixels == 256 * 192
    for cut in (20, 100, len(pair) // 2):
        with pytest.raises(errors.CorruptImage):
            heif.read_header(pair[:-cut])


def test_the_frames_of_an_apng_and_their_times_are_added_up() -> None:
    animation = pictures.animated("PNG", 5)
    assert png.read_header(animation).duration == timedelta(milliseconds=200)
    first = png.read_header(pictures.png_before_its_animation())
    assert (first.frames, first.duration) == (3, timedelta(milliseconds=2 * 40))
    hundredths = pictures.png_of_delays((3, 0), (0, 7), (1, 4))
    assert png.read_header(hundredths).duration == timedelta(milliseconds=30 + 250)
    assert png.read_header(pictures.png()).duration is None


def test_scans_after_the_end_marker_are_not_the_picture_s() -> None:
    for between in (b"", b"\0\2"):  # The second would do as the length of a segment.
        tail = between + pictures.jpeg_of_scans(50)
        assert jpeg.read_header(pictures.jpeg() + tail).scans == 1


def test_a_first_frame_larger_than_its_canvas_makes_the_canvas() -> None:
    data = bytearray(pictures.gif(100, 80))
    data[6:10] = bytes(4)
    header = gif.read_header(bytes(data))
    assert (header.width, header.height) == (100, 80)


def test_an_animation_that_begins_after_the_pixels_is_a_still() -> None:
    still = pictures.png()
    end = pictures.png_chunks(still)[-1][1]
    late = pictures.png_chunk(b"acTL", bytes([0, 0, 0, 9, 0, 0, 0, 0]))
    assert png.read_header(still[:end] + late + still[end:]).frames == 1


@pytest.mark.parametrize("percent", range(5, 100, 5))
@pytest.mark.parametrize("form", ANIMATIONS)
def test_an_animation_that_is_cut_is_refused(form: str, percent: int) -> None:
    with pytest.raises(errors.CorruptImage):
        READERS[form.lower()](pictures.cut(ANIMATIONS[form], percent))


def test_a_gif_cut_between_two_frames_is_refused() -> None:
    cuts = pictures.gif_cuts_between_frames(pictures.animated("GIF", 5))
    assert len(cuts) == 4
    for data in cuts:
        with pytest.raises(errors.CorruptImage):
            gif.read_header(data)


def test_junk_between_the_blocks_of_a_gif_is_refused_but_stray_zeros_are_not() -> None:
    data = pictures.gif()
    assert gif.read_header(data[:-1] + bytes(3) + data[-1:]).frames == 1
    with pytest.raises(errors.CorruptImage):
        gif.read_header(data[:-1] + b"\x99" + data[-1:])


@pytest.mark.parametrize("kind", [b"fcTL", b"fdAT"])
def test_a_frame_of_a_png_with_a_wrong_crc_is_refused(kind: bytes) -> None:
    data = bytearray(pictures.animated("PNG"))
    end = next(end for name, _, end in pictures.png_chunks(data) if name == kind)
    data[end - 5] ^= 0x01
    with pytest.raises(errors.CorruptImage):
        png.read_header(bytes(data))


@pytest.mark.parametrize("form", READERS)
@given(data=st.binary(max_size=200))
def test_noise_behind_the_magic_is_read_or_refused(form: str, data: bytes) -> None:
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
def test_a_picture_with_any_bytes_changed_is_read_or_refused(
    form: str, data: st.DataObject
) -> None:
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
def test_a_header_of_megabytes_takes_time_by_its_length_only(form: str, data: bytes) -> None:
    began = time.process_time()
    _read_or_refuse(form, data)
    assert time.process_time() - began < 10  # It would be hours if it grew by the square.


@pytest.mark.parametrize(
    ("header", "refusal", "words"),
    [
        (Header(width=1_001, height=1), errors.TooManyPixels, "1,001 pixels; at most 1,000"),
        (Header(width=1, height=1, frames=11), errors.TooManyFrames, "11 frames; at most 10"),
        (Header(width=1_000, height=1, frames=6), errors.TooManyFrames, "6,000 pixels in all"),
        (Header(width=1, height=1, scans=21), errors.CorruptImage, "21 scans; at most 20"),
        (Header(width=0, height=5), errors.CorruptImage, "no pixels"),
        (Header(width=5, height=0), errors.CorruptImage, "no pixels"),
    ],
)
def test_what_is_over_a_limit_is_refused_with_both_figures(
    header: Header, refusal: type[errors.Invalid], words: str
) -> None:
    with pytest.raises(refusal, match=words):
        admit(header, LIMITS)


def test_what_is_at_every_limit_passes() -> None:
    admit(Header(width=500, height=1, frames=10, scans=20), LIMITS)
    admit(Header(width=100, height=10), LIMITS)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2017:06:17 20:35:13", datetime(2017, 6, 17, 20, 35, 13)),  # noqa: DTZ001, the camera's
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
def test_the_camera_s_clock_is_read_or_left(text: str, moment: datetime | None) -> None:
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
def test_the_camera_s_offset_is_read_or_left(text: str, offset: timedelta | None) -> None:
    assert parse_offset(text) == offset


@given(st.text(max_size=40))
def test_any_text_in_place_of_a_time_is_harmless(text: str) -> None:
    parse_date_time(text)
    parse_offset(text)

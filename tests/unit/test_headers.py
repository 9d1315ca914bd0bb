"""Header readers, limits, and EXIF times: all that is checked before decoding."""

import struct
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight import errors
from safelight.imaging.headers import gif, heif, jpeg, png, webp
from safelight.imaging.limits import DecodeLimits, Header, check_limits
from support import pictures

READERS: dict[str, Callable[[bytes], Header]] = {
    "jpeg": jpeg.read_header,
    "png": png.read_header,
    "gif": gif.read_header,
    "webp": webp.read_header,
    "avif": heif.read_header,
    "heic": heif.read_header,
    "avif sequence": heif.read_header,
}
SMALL = pictures.LazyFiles(
    {
        "jpeg": lambda: pictures.jpeg(16, 16),
        "png": lambda: pictures.animated("PNG", 3, 16, 16),
        "gif": lambda: pictures.animated("GIF", 3, 16, 16),
        "webp": lambda: pictures.animated("WEBP", 3, 16, 16),
        "avif": lambda: pictures.avif(16, 16),
        "heic": lambda: pictures.heic(16, 16),
        "avif sequence": lambda: pictures.animated("AVIF", 5),
    }
)
PHOTOGRAPHS = pictures.photographs()
ANIMATIONS = pictures.LazyFiles(
    {form: partial(pictures.animated, form) for form in ("GIF", "PNG", "WEBP")}
)
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
    hundredths = pictures.png_of_delays((3, 0), (2, 7), (1, 4))
    assert png.read_header(hundredths).duration == timedelta(seconds=0.03 + 2 / 7 + 0.25)
    assert png.read_header(pictures.png()).duration is None


def test_frames_of_at_most_ten_milliseconds_last_as_long_as_in_browsers() -> None:
    delays = [(0, 1000), (1, 0), (10, 1000), (109, 10_000), (11, 1000), (40, 1000)]
    assert png.read_header(pictures.png_of_delays(*delays)).duration == timedelta(
        milliseconds=4 * 100 + 11 + 40
    )


def test_avif_sequence_has_frames_and_duration() -> None:
    header = heif.read_header(SMALL["avif sequence"])
    assert (header.width, header.height, header.frames) == (64, 48, 5)
    assert header.duration == timedelta(milliseconds=200)
    still = SMALL["avif sequence"].replace(b"ftypavis", b"ftypavif")
    assert heif.read_header(still).frames == 1


@pytest.mark.parametrize(
    ("scale", "delay", "seconds"),
    [
        (1000, 0, 0.5),
        (1000, 10, 0.5),
        (1000, 11, 0.055),
        (0, 40, None),
        (1, 2**32 - 1, 315_360_000),
    ],
)
def test_any_delay_of_avif_frames_gives_a_duration(
    scale: int, delay: int, seconds: float | None
) -> None:
    data = bytearray(SMALL["avif sequence"])
    times, media = data.index(b"stts") + 12, data.index(b"mdhd") + 4
    struct.pack_into(">II", data, times, 2**32 - 1, delay)
    struct.pack_into(">I", data, media + 20, scale)
    duration = heif.read_header(bytes(data)).duration
    assert duration == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize("box", [b"meta", b"pitm"])
def test_sequence_without_a_still_picture_is_refused_by_name(box: bytes) -> None:
    with pytest.raises(errors.UnsupportedType, match="AVIF sequence without a still picture"):
        heif.read_header(SMALL["avif sequence"].replace(box, b"free", 1))


def test_truncated_avif_sequence_is_refused() -> None:
    for percent in range(5, 100, 5):
        with pytest.raises((errors.CorruptImage, errors.UnsupportedType)):
            heif.read_header(pictures.truncate(SMALL["avif sequence"], percent))
    with pytest.raises(errors.CorruptImage):
        heif.read_header(SMALL["avif sequence"][:-1])


@pytest.mark.parametrize(
    "derived",
    [
        [(1, (1,))],
        [(1, (3,)), (3, (1,))],
        [(1, (3,)), (3, (4, 2)), (4, (1,))],
        [(1, (2,)), (3, (4,)), (4, (3,))],
    ],
)
def test_heif_image_that_is_derived_from_itself_is_refused(
    derived: list[tuple[int, tuple[int, ...]]],
) -> None:
    coded, properties = pictures.heif_parts(pictures.avif(64, 48))
    items = [(2, b"av01", coded, (1, 0x82)), *((item, b"iden", b"", (1,)) for item in (1, 3, 4))]

    def read(derived: list[tuple[int, tuple[int, ...]]]) -> Header:
        references = tuple((b"dimg", *each) for each in derived)
        return heif.read_header(pictures.heif_file(b"avif", items, properties, references))

    assert read([(1, (3,)), (3, (4, 2)), (4, (2,))]).pixels == 64 * 48
    with pytest.raises(errors.CorruptImage):
        read(derived)


def test_heif_without_its_primary_item_is_refused() -> None:
    pair = pictures.heif_with_second(pictures.heic(64, 64), pictures.heic(64, 64), primary=3)
    with pytest.raises(errors.CorruptImage):
        heif.read_header(pair)


@pytest.mark.parametrize(
    ("marker", "precision", "name"),
    [
        (0xC0, 12, "12-bit JPEG"),
        (0xC1, 12, "12-bit JPEG"),
        (0xC2, 12, "12-bit JPEG"),
        (0xC3, 12, "12-bit lossless JPEG"),
        (0xC3, 16, "16-bit lossless JPEG"),
        (0xC5, 8, "hierarchical JPEG"),
        (0xCF, 8, "hierarchical JPEG"),
        (0xF7, 8, "JPEG-LS"),
    ],
)
def test_kind_of_jpeg_that_cannot_be_decoded_is_named(
    marker: int, precision: int, name: str
) -> None:
    with pytest.raises(errors.UnsupportedType, match=rf"\({name}\)\. Export it as"):
        jpeg.read_header(pictures.jpeg_of_kind(marker, precision))


@pytest.mark.parametrize(
    ("marker", "size", "can_shrink"),
    [
        (0xC0, (64, 64), True),
        (0xC2, (5000, 64), True),
        (0xC0, (5000, 63), False),
        (0xC0, (1, 40_000), False),
        (0xC3, (640, 480), False),
    ],
)
def test_thin_or_lossless_jpeg_is_not_shrunk_while_it_is_decoded(
    marker: int, size: tuple[int, int], *, can_shrink: bool
) -> None:
    data = bytearray(pictures.jpeg_claiming(*size))
    data[data.index(b"\xff\xc0") + 1] = marker
    assert jpeg.read_frame(bytes(data)).can_shrink is can_shrink


def test_scans_after_end_marker_are_ignored() -> None:
    for between in (b"", b"\0\2"):  # The second could be the length of a segment.
        tail = between + pictures.jpeg_of_scans(50)
        assert jpeg.read_header(pictures.jpeg() + tail).scans == 1


@pytest.mark.parametrize(
    ("canvas", "frames", "size", "is_covered"),
    [
        ((40, 20), [(0, 0, 40, 20)], (40, 20), True),
        ((40, 20), [(10, 5, 10, 10)], (40, 20), False),
        ((40, 20), [(30, 0, 20, 20)], (50, 20), False),
        ((40, 20), [(0, 15, 40, 10)], (40, 25), False),
        ((40, 20), [(50, 30, 10, 10)], (60, 40), False),
        ((40, 20), [(0, 0, 60, 50)], (60, 50), True),
        ((40, 20), [(0, 0, 40, 20), (35, 15, 10, 10)], (40, 20), True),
        ((40, 20), [(30, 0, 20, 20), (0, 0, 90, 90)], (50, 20), False),
        ((40, 20), [(0, 0, 20, 30)], (40, 30), False),
        ((0, 0), [(3, 4, 12, 10)], (15, 14), False),
        ((0, 0), [(0, 0, 12, 10), (0, 0, 30, 30)], (12, 10), True),
        ((0, 20), [(0, 0, 12, 10)], (12, 20), False),
        ((20, 0), [(0, 0, 12, 10)], (20, 10), False),
        ((20, 10), [(0, 0, 0, 0)], (20, 10), False),
        ((640, 480), [(10, 10, 20, 20)], (640, 480), False),
    ],
)
def test_gif_has_the_size_that_browsers_show(
    canvas: tuple[int, int],
    frames: list[pictures.GifFrame],
    size: tuple[int, int],
    *,
    is_covered: bool,
) -> None:
    """These sizes are those of Chromium 147: only the first frame extends the canvas."""
    data = pictures.gif_of_rectangles(canvas, *frames)
    header = gif.read_header(data)
    assert (header.width, header.height, header.frames) == (*size, len(frames))
    assert gif.read_canvas(data).is_covered is is_covered
    left, top, width, height = frames[0]
    is_extended = left + width > canvas[0] or top + height > canvas[1]
    assert gif.read_canvas(data).is_extended is is_extended


LOOP = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"


def test_still_gif_may_lack_its_trailer() -> None:
    for more in (b"", b"\x21\xfe\x05hello\0", bytes(3)):
        data = pictures.gif_of_rectangles((9, 9), (0, 0, 9, 9), delay=0, trailer=more)
        assert gif.read_header(data).frames == 1


@pytest.mark.parametrize(
    "data",
    [
        pictures.gif_of_rectangles((9, 9), trailer=b""),
        pictures.gif_of_rectangles((9, 9), (0, 0, 9, 9), trailer=b"")[:-1],
        pictures.gif_of_rectangles((9, 9), (0, 0, 9, 9), delay=4, trailer=b""),
        pictures.gif_of_rectangles((9, 9), (0, 0, 9, 9), before=LOOP, trailer=b""),
        pictures.gif_of_rectangles((9, 9), *[(0, 0, 9, 9)] * 2, trailer=b""),
        pictures.gif_of_rectangles((9, 9), (0, 0, 9, 9), trailer=b"\x21\xf9\x04\0\0\0\0\0"),
        pictures.gif_of_rectangles((9, 9), (0, 0, 9, 9), trailer=b"\x2c"),
    ],
    ids=["no frame", "half a frame", "delay", "loop", "two frames", "another control", "another"],
)
def test_other_gif_without_its_trailer_is_refused(data: bytes) -> None:
    with pytest.raises(errors.CorruptImage):
        gif.read_header(data)


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
        "avif sequence": SMALL["avif sequence"][: SMALL["avif sequence"].index(b"trak") + 4],
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
    except (errors.CorruptImage, errors.UnsupportedType):
        return
    assert header.frames >= 1


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("jpeg", b"\xff\xd8" + b"\xff" * 1_000_000),
        ("jpeg", b"\xff\xd8" + b"\xff\xfe\0\2" * 150_000),
        ("jpeg", b"\xff\xd8" + b"\xff\x01" * 300_000),
        ("png", pictures.png(16, 16) + b"\0\0\0\0aaaa\0\0\0\0" * 50_000),
        ("gif", b"GIF89a" + bytes(7) + b"\0" * 500_000),
        ("gif", b"GIF89a" + bytes(7) + b"\x21\xff" + b"\1\1" * 300_000),
        ("webp", pictures.riff((b"VP8X", b"\2" + bytes(9)), *[(b"ANMF", b"")] * 60_000)),
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

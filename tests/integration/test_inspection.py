"""Inspection of real and hostile photos by a real decoder."""

import io
import struct
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import numpy as np
import pillow_heif
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from safelight import errors
from safelight.darkroom.pool import ChoosePresets, Darkroom
from safelight.models import CaptureDate, DateSource, Details, ImageFacts, Preset
from safelight.settings import LimitSettings
from support import pictures
from support.darkrooms import inspect, outcome, render
from support.metadata import WITH_XMP, png_with_raw_profile, xmp_packet

PHOTOGRAPHS = pictures.photographs()
CLEAN = {"accept", "corrupt_image", "unsupported_type", "too_many_pixels", "too_many_frames"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def darkroom() -> AsyncIterator[Darkroom]:
    room = Darkroom(LimitSettings())
    await room.start()
    yield room
    await room.close()


async def facts_of(darkroom: Darkroom, data: bytes) -> ImageFacts:
    return (await inspect(darkroom, data)).facts


@pytest.mark.parametrize("name", PHOTOGRAPHS)
async def test_photo_of_each_format_is_accepted(darkroom: Darkroom, name: str) -> None:
    facts = await facts_of(darkroom, PHOTOGRAPHS[name])
    assert facts.format == name.rsplit(maxsplit=1)[-1]
    assert facts.content_type == f"image/{facts.format}"
    assert (facts.width, facts.height) == (256, 192)
    assert facts.frames == (3 if "animated" in name else 1)
    assert (facts.frames > 1) == ("animated" in name)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (63, 63), (64, 64), (65, 7)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
async def test_unusual_size_is_accepted(
    darkroom: Darkroom, form: str, size: tuple[int, int]
) -> None:
    facts = await facts_of(darkroom, pictures.save(pictures.astronaut(*size), form))
    assert (facts.width, facts.height) == size


def _one_small_preset(facts: ImageFacts, *, is_large: bool) -> list[Preset]:
    del facts, is_large
    return [Preset(name="small", width=32, quality=1, effort=0)]


@pytest.mark.parametrize("width", [1, 32, 33, 70, 141])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
async def test_photo_without_its_last_lines_is_refused_when_it_is_rendered(
    darkroom: Darkroom, form: str, width: int
) -> None:
    """The pixels are read only then, and shrunk: every line must still be read."""
    for height in (8, 9, 15, 17, 31, 33, 64, 101):
        whole, cut = pictures.with_and_without_last_lines(width, height, form)
        await inspect(darkroom, whole, _one_small_preset)
        found = await _outcome(darkroom, cut, _one_small_preset)
        assert found == await _outcome(darkroom, cut, None), height
        assert form == "JPEG" or found == "corrupt_image", height


async def _outcome(darkroom: Darkroom, data: bytes, presets: ChoosePresets | None) -> str:
    try:
        await inspect(darkroom, data, presets)
    except errors.CorruptImage as refusal:
        return refusal.code
    return "accept"


async def test_truncated_photo_of_which_libjpeg_only_warns_is_refused(darkroom: Darkroom) -> None:
    """A warning is lost when something else is done with libvips."""
    data = pictures.jpeg_without_its_last_block()
    assert await outcome(darkroom, data) == "corrupt_image"
    with pytest.raises(errors.CorruptImage):
        await inspect(darkroom, data)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
async def test_width_and_height_are_as_displayed(
    darkroom: Darkroom, form: str, orientation: int
) -> None:
    fields = pictures.exif(orientation=orientation)
    facts = await facts_of(darkroom, pictures.save(pictures.astronaut(), form, exif=fields))
    assert (facts.width, facts.height) == ((192, 256) if orientation >= 5 else (256, 192))


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
async def test_invalid_orientation_is_ignored(darkroom: Darkroom, orientation: int) -> None:
    facts = await facts_of(darkroom, pictures.jpeg(exif=pictures.exif(orientation=orientation)))
    assert (facts.width, facts.height) == (256, 192)


@pytest.mark.parametrize(("offset", "hours"), [("-07:00", -7), ("+00:00", 0), ("+05:30", 5.5)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
async def test_exif_time_and_offset_are_read(
    darkroom: Darkroom, form: str, offset: str, hours: float
) -> None:
    fields = pictures.exif(1, taken_at="2017:06:17 20:35:13", offset=offset)
    facts = await facts_of(darkroom, pictures.save(pictures.astronaut(), form, exif=fields))
    at, offset_from_utc = datetime(2017, 6, 17, 20, 35, 13), timedelta(hours=hours)  # noqa: DTZ001, no time zone in EXIF
    assert facts.dates == (CaptureDate(at=at, offset=offset_from_utc, source=DateSource.EXIF),)


PAIRS = {
    "mpo": pictures.jpeg_before(pictures.astronaut().rotate(180)),
    "gain map": pictures.jpeg_before(pictures.astronaut(128, 96, "L"), xmp=pictures.GAIN_MAP),
}


@pytest.mark.parametrize("name", PAIRS)
async def test_jpeg_followed_by_another_is_the_first_one(darkroom: Darkroom, name: str) -> None:
    pair = PAIRS[name]
    facts, rendered = await render(darkroom, pair)
    assert (facts.format, facts.width, facts.height, facts.frames) == ("jpeg", 256, 192, 1)
    assert [(each.width, each.height) for each in rendered.images] == [(256, 192)]
    first = pair[: pair.rindex(b"\xff\xd8\xff")]
    assert await outcome(darkroom, pair[:-100]) == "accept"
    for percent in range(5, 100, 5):
        assert await outcome(darkroom, pictures.truncate(first, percent)) == "corrupt_image", (
            percent
        )


@pytest.mark.parametrize("reference", [b"thmb", None])
@pytest.mark.parametrize("form", ["heic", "avif"])
async def test_heif_is_its_primary_item_or_refused(
    darkroom: Darkroom, form: str, reference: bytes | None
) -> None:
    large, small = getattr(pictures, form)(256, 192), getattr(pictures, form)(96, 64)
    for primary, size in ((1, (256, 192)), (2, (96, 64))):
        data = pictures.heif_with_second(large, small, reference, primary=primary)
        facts, rendered = await render(darkroom, data)
        assert (facts.width, facts.height) == size
        assert [(image.width, image.height) for image in rendered.images] == [size]
    contradiction = pictures.heif_with_second(small, large, b"thmb", primary=2)
    assert (await facts_of(darkroom, contradiction)).width == 96
    for kind in (b"xxxx", b"unci", b"iden", b"iovl", b"jpeg", b"mime"):
        data = pictures.heif_with_second(large, small, reference, kind=kind)
        assert await outcome(darkroom, data) == "corrupt_image"
    broken = bytearray(pictures.heif_with_second(large, small, reference))
    pixels = broken.index(b"mdat") + 4
    broken[pixels : pixels + 1000] = b"\xff" * 1000
    assert await outcome(darkroom, bytes(broken)) == "corrupt_image"


@pytest.mark.parametrize("form", ["heic", "avif"])
async def test_heif_image_that_is_derived_from_itself_is_refused(
    darkroom: Darkroom, form: str
) -> None:
    coded, properties = pictures.heif_parts(getattr(pictures, form)(128, 64))
    kind = {"heic": b"hvc1", "avif": b"av01"}[form]
    items = [(1, b"iden", b"", (1,)), (2, kind, coded, (1, 0x82)), (3, b"iden", b"", (1,))]

    def derived(*references: tuple[int, int]) -> bytes:
        dimg = tuple((b"dimg", one, (other,)) for one, other in references)
        return pictures.heif_file(form.encode(), items, properties, dimg)

    assert await outcome(darkroom, derived((1, 2), (3, 2))) == "accept"
    for cycle in ([(1, 1)], [(1, 3), (3, 1)], [(1, 2), (3, 3)]):
        assert await outcome(darkroom, derived(*cycle)) == "corrupt_image"


async def test_animated_avif_is_its_first_picture(darkroom: Darkroom) -> None:
    facts, rendered = await render(darkroom, pictures.animated("AVIF", 5))
    assert (facts.format, facts.width, facts.height, facts.frames) == ("avif", 64, 48, 5)
    assert facts.details.duration == timedelta(milliseconds=200)
    (image,) = rendered.images
    first = np.asarray(pictures.astronaut(64, 48)).astype(int)
    made = np.asarray(Image.open(io.BytesIO(image.data)).convert("RGB")).astype(int)
    assert np.abs(made - first).mean() < 12


@pytest.mark.parametrize("brands", [b"mif1heic", b"hevcmsf1", b"msf1iso8"])
async def test_heic_sequence_is_its_still_picture(darkroom: Darkroom, brands: bytes) -> None:
    still = pictures.heic()
    data = pictures.heif_box(b"ftyp", b"hevc", bytes(4), brands, b"iso8")
    assert int.from_bytes(still[:4], "big") == len(data)
    facts = await facts_of(darkroom, data + still[len(data) :])
    assert (facts.format, facts.width, facts.height, facts.frames) == ("heic", 256, 192, 1)


async def test_lossless_jpeg_is_accepted(darkroom: Darkroom) -> None:
    facts = await facts_of(darkroom, pictures.jpeg_lossless(pictures.astronaut(200, 160)))
    assert (facts.format, facts.width, facts.height) == ("jpeg", 200, 160)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
async def test_short_frames_last_as_long_as_in_browsers(darkroom: Darkroom, form: str) -> None:
    images = [pictures.astronaut(64, 48).rotate(angle) for angle in (0, 10, 20)]
    delays = [10, 20, 40]
    data = pictures.save(images[0], form, save_all=True, append_images=images[1:], duration=delays)
    facts = await facts_of(darkroom, data)
    assert facts.details.duration == timedelta(milliseconds=100 + 20 + 40)


async def test_gif_that_does_not_cover_its_canvas_has_alpha(darkroom: Darkroom) -> None:
    part = pictures.gif_of_rectangles((200, 150), (50, 37, 100, 75))
    whole = pictures.gif_of_rectangles((100, 75), (0, 0, 100, 75), trailer=b"")
    assert (await facts_of(darkroom, part)).details.alpha
    assert not (await facts_of(darkroom, whole)).details.alpha


async def test_secondary_heic_image_may_lack_a_few_bytes(
    darkroom: Darkroom,
) -> None:
    pair = pictures.heic_pair()
    assert await outcome(darkroom, pair[:-1]) == "accept"
    assert await outcome(darkroom, pair[:-100]) == "corrupt_image"
    assert await outcome(darkroom, pictures.heic()[:-1]) == "corrupt_image"


@pytest.mark.parametrize("form", ["heic", "avif"])
async def test_tiled_heif_is_accepted_if_complete(darkroom: Darkroom, form: str) -> None:
    grid = pictures.heif_grid(getattr(pictures, form)(128, 64), 3, 2)
    facts = await facts_of(darkroom, grid)
    assert (facts.width, facts.height) == (384, 128)
    assert await outcome(darkroom, grid[:-1]) == "corrupt_image"


@pytest.mark.parametrize("form", ["heic", "avif"])
async def test_heif_of_many_tiles_is_accepted_within_a_limit(darkroom: Darkroom, form: str) -> None:
    """A phone's photo of 200 megapixels has 800."""
    tile = getattr(pictures, form)(64, 64)
    grid = pictures.heif_grid(tile, 20, 15)
    facts, rendered = await render(darkroom, grid)
    assert (facts.width, facts.height) == (64 * 20, 64 * 15)
    assert rendered
    assert await outcome(darkroom, grid[:-1]) == "corrupt_image"
    with pytest.raises(errors.UnsupportedType, match=r"1,001 parts.* At most 1,000 .* as JPEG"):
        await facts_of(darkroom, pictures.heif_grid(tile, 40, 25))


@pytest.mark.parametrize("form", ["heic", "avif"])
async def test_tiled_heif_whose_end_was_never_written_is_refused(
    darkroom: Darkroom, form: str
) -> None:
    coded, properties = pictures.heif_parts(getattr(pictures, form)(128, 64))
    kind = {"heic": b"hvc1", "avif": b"av01"}[form]
    size = struct.pack(">II", 256, 64)
    grid = struct.pack(">BBBB", 0, 1, 0, 1) + size
    items = [(1, b"grid", grid, (1,)), (2, kind, coded, (2, 0x83)), (3, kind, coded, (2, 0x83))]
    data = pictures.heif_file(
        form.encode(),
        items,
        [pictures.heif_box(b"ispe", bytes(4), size), *properties],
        ((b"dimg", 1, (2, 3)),),
    )
    assert await outcome(darkroom, data) == "accept"
    for filler in (b"\0", b"\xff"):
        unwritten = data[: -len(coded)] + filler * len(coded)
        assert await outcome(darkroom, unwritten) == "corrupt_image"


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
async def test_heic_is_not_rotated_twice(darkroom: Darkroom, orientation: int) -> None:
    fields = pictures.exif(orientation, "2017:06:17 20:35:13", "+02:00")
    picture = pictures.astronaut()
    picture = picture.copy()
    picture.info["exif"] = fields.tobytes()
    file = io.BytesIO()
    pillow_heif.from_pillow(picture).save(file)
    seen = await inspect(darkroom, file.getvalue())
    upright = pillow_heif.open_heif(file.getvalue())
    assert (seen.facts.width, seen.facts.height) == upright.size
    (date,) = seen.facts.dates
    assert date.at == datetime(2017, 6, 17, 20, 35, 13)  # noqa: DTZ001, no time zone in EXIF
    assert date.offset == timedelta(hours=2)


async def test_time_without_offset_has_none(darkroom: Darkroom) -> None:
    facts = await facts_of(
        darkroom, pictures.jpeg(exif=pictures.exif(taken_at="2017:06:17 20:35:13"))
    )
    (date,) = facts.dates
    assert date.at == datetime(2017, 6, 17, 20, 35, 13)  # noqa: DTZ001, no time zone in EXIF
    assert date.offset is None


@pytest.mark.parametrize("place", WITH_XMP)
async def test_date_of_xmp_is_read(darkroom: Darkroom, place: str) -> None:
    packet = xmp_packet(attributes='photoshop:DateCreated="2017-06-17T20:35:13.25+02:00"')
    (date,) = (await facts_of(darkroom, WITH_XMP[place](packet))).dates
    assert date == CaptureDate(
        at=datetime(2017, 6, 17, 20, 35, 13, 250_000),  # noqa: DTZ001, a local time
        offset=timedelta(hours=2),
        source=DateSource.XMP,
    )


EXIF_TIMES = pictures.exif_times(original="2017:06:17 20:35:13", digitized="2018-01-02 03:04:05")
PNG = pictures.png(64, 48)
WITH_EXIF = {
    "jpeg": pictures.jpeg(64, 48, exif=EXIF_TIMES),
    "png": pictures.png(64, 48, exif=EXIF_TIMES),
    "png, behind the pixels": PNG[:-12] + pictures.png_chunk(b"eXIf", EXIF_TIMES[6:]) + PNG[-12:],
    "png, raw profile": png_with_raw_profile("exif", EXIF_TIMES),
    "png, raw app1 profile": png_with_raw_profile("APP1", EXIF_TIMES),
    "webp": pictures.webp(64, 48, exif=EXIF_TIMES),
    "avif": pictures.avif(64, 48, exif=EXIF_TIMES),
    "heic": pictures.heic(64, 48, exif=EXIF_TIMES),
}


@pytest.mark.parametrize("place", WITH_EXIF)
async def test_dates_of_exif_have_fractions_of_seconds(darkroom: Darkroom, place: str) -> None:
    dates = (await facts_of(darkroom, WITH_EXIF[place])).dates
    assert [(date.at.isoformat(), date.offset) for date in dates] == [
        ("2017-06-17T20:35:13.120000", timedelta(hours=2)),
        ("2018-01-02T03:04:05.500000", None),
    ]


async def test_details_are_read(darkroom: Darkroom) -> None:
    fields = pictures.exif(1)
    fields[0x010F], fields[0x0110] = "Camera Works", "Model (3)"
    fields.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for data in (
        pictures.jpeg(exif=fields, icc_profile=profile),
        pictures.png(exif=fields, icc_profile=profile),
        pictures.webp(exif=fields, icc_profile=profile),
        pictures.avif(exif=fields, icc_profile=profile),
        pictures.heic(exif=fields.tobytes(), icc_profile=profile),
    ):
        assert (await facts_of(darkroom, data)).details == Details(
            profile="sRGB built-in",
            camera_make="Camera Works",
            camera_model="Model (3)",
            located=True,
        )


async def test_missing_details_are_none(darkroom: Darkroom) -> None:
    assert (await facts_of(darkroom, pictures.jpeg())).details == Details()
    assert (await facts_of(darkroom, pictures.png(mode="RGBA"))).details == Details(alpha=True)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
async def test_animation_has_duration(darkroom: Darkroom, form: str) -> None:
    facts = await facts_of(darkroom, pictures.animated(form, 5))
    assert facts.details.duration == timedelta(milliseconds=200)


EXIF_OF_NOISE = b"Exif\0\0MM\0*\0\0\0\x08" + pictures.noise(400)
BROKEN_METADATA = {
    "exif of noise": pictures.jpeg(exif=EXIF_OF_NOISE),
    "exif cut short": pictures.jpeg(exif=pictures.exif(orientation=1).tobytes()[:-7]),
    "exif directory that is its own next": pictures.jpeg(
        exif=b"Exif\0\0II*\0\x08\0\0\0" + bytes(2) + b"\x08\0\0\0"
    ),
    "times of nonsense": pictures.jpeg(exif=pictures.exif(taken_at="yesterday", offset="far")),
    "a time that is not utf-8": pictures.jpeg(
        exif=pictures.exif(1, taken_at="2017:06:17 20:35:1X")
    ).replace(b"20:35:1X", b"20:35:1\xe9"),
    "colour profile of noise": pictures.jpeg(icc_profile=pictures.noise(3000)),
    "xmp of noise": pictures.jpeg(xmp=pictures.noise(3000)),
    "png text that is not utf-8": pictures.png_with(
        pictures.png_chunk(b"tEXt", b"Auteur \xe9\xe8\0caf\xe9")
    ),
    "png raw profile of noise": png_with_raw_profile("exif", EXIF_OF_NOISE),
    "png raw profile cut short": png_with_raw_profile("exif", EXIF_TIMES[:-80]),
    "xmp with entities": pictures.jpeg(
        xmp=b"<!DOCTYPE x [<!ENTITY l0 'ha'>"
        + b"".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>".encode() for n in range(1, 12))
        + b"]><x>&l11;</x>"
    ),
    "xmp of a deep tree": pictures.jpeg(xmp=b"<a>" * 20_000),
    "xmp with nonsense for a date": pictures.jpeg(
        xmp=xmp_packet(attributes='xmp:CreateDate="yesterday" exif:DateTimeOriginal="0000-00-00"')
    ),
    "png exif of noise": pictures.png_with(pictures.png_chunk(b"eXIf", pictures.noise(300))),
    "png text with a wrong crc": pictures.png_with(b"\0\0\0\4tEXta\0bc\1\2\3\4"),
    "webp exif of noise": pictures.webp(exif=EXIF_OF_NOISE),
    "webp colour profile of noise": pictures.webp(icc_profile=pictures.noise(3000)),
}


@pytest.mark.parametrize("name", BROKEN_METADATA)
async def test_broken_metadata_is_ignored(darkroom: Darkroom, name: str) -> None:
    facts = await facts_of(darkroom, BROKEN_METADATA[name])
    assert facts.dates == ()


POLYGLOTS = {
    "jpeg and html": pictures.jpeg() + pictures.HTML,
    "jpeg and zip": pictures.jpeg() + pictures.zipped(),
    "jpeg and jpeg": pictures.jpeg() + pictures.jpeg(64, 48),
    "jpeg with html in a comment": pictures.jpeg(comment=pictures.HTML),
    "png and zip": pictures.png() + pictures.zipped(),
    "gif and html": pictures.gif(256, 192) + pictures.HTML,
    "webp and html": pictures.webp() + pictures.HTML,
}


@pytest.mark.parametrize("name", POLYGLOTS)
async def test_polyglot_is_the_photo_it_begins_with(darkroom: Darkroom, name: str) -> None:
    facts = await facts_of(darkroom, POLYGLOTS[name])
    assert facts.format == name.split(maxsplit=1)[0]
    assert (facts.width, facts.height) == (256, 192)


REFUSED = {
    "an empty file": (b"", "empty_file"),
    "text": (pictures.TEXT, "unsupported_type"),
    "html": (pictures.HTML, "unsupported_type"),
    "svg": (pictures.SVG, "unsupported_type"),
    "pdf": (pictures.PDF, "unsupported_type"),
    "tiff": (pictures.save(pictures.astronaut(), "TIFF"), "unsupported_type"),
    "a sequence without a still picture": (
        pictures.animated("AVIF", 2).replace(b"pitm", b"free"),
        "unsupported_type",
    ),
    "half an animated avif": (pictures.truncate(pictures.animated("AVIF"), 50), "corrupt_image"),
    "an animated avif of a billion frames": (
        pictures.animated("AVIF").replace(b"stsz" + bytes(11), b"stsz" + bytes(8) + b"\x40\0\0"),
        "too_many_frames",
    ),
    "a 12-bit jpeg": (pictures.jpeg_of_kind(0xC1, 12), "unsupported_type"),
    "half a lossless jpeg": (
        pictures.truncate(pictures.jpeg_lossless(pictures.astronaut(200, 160)), 50),
        "corrupt_image",
    ),
    "a gif whose only frame has no size": (
        pictures.gif_of_rectangles((0, 0), (0, 0, 0, 0)),
        "corrupt_image",
    ),
    "half an avif": (pictures.truncate(pictures.avif(), 50), "corrupt_image"),
    "half a heic": (pictures.truncate(pictures.heic(), 50), "corrupt_image"),
    "an avif header of 60,000 squared": (
        pictures.heif_claiming(pictures.avif(), 60_000, 60_000),
        "too_many_pixels",
    ),
    "a heic header of 60,000 squared": (
        pictures.heif_claiming(pictures.heic(), 60_000, 60_000),
        "too_many_pixels",
    ),
    "a heic whose grid is larger than it claims": (
        pictures.heif_grid_of(pictures.heic(), 60_000, 60_000),
        "too_many_pixels",
    ),
    "a heic of a billion boxes": (
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x08free" * 200_000,
        "corrupt_image",
    ),
    "html behind jpeg magic": (b"\xff\xd8\xff\xe0" + pictures.HTML, "corrupt_image"),
    "html behind png magic": (pictures.PNG_SIGNATURE + pictures.HTML, "corrupt_image"),
    "html behind gif magic": (b"GIF89a" + pictures.HTML, "corrupt_image"),
    "half a jpeg": (pictures.truncate(pictures.jpeg(), 50), "corrupt_image"),
    "half a jpeg with an end marker": (
        pictures.truncate(pictures.jpeg(), 50) + b"\xff\xd9",
        "corrupt_image",
    ),
    "a jpeg without its end marker": (pictures.jpeg()[:-2], "corrupt_image"),
    "half a png": (pictures.truncate(pictures.png(), 50), "corrupt_image"),
    "a png whose pixels have a wrong crc": (pictures.png_with_wrong_crc(), "corrupt_image"),
    "a png whose header has a wrong crc": (pictures.png_with_wrong_crc(b"IHDR"), "corrupt_image"),
    "a one-bit png of 50,000 squared": (
        pictures.png_of_zeros(50_000, 50_000),
        "too_many_pixels",
    ),
    "an interlaced png of 30,000 squared": (
        pictures.png_of_zeros(30_000, 30_000, interlaced=True),
        "too_many_pixels",
    ),
    "a jpeg header of 60,000 squared": (
        pictures.jpeg_claiming(60_000, 60_000),
        "too_many_pixels",
    ),
    "a progressive jpeg header of 60,000 squared": (
        pictures.jpeg_claiming(60_000, 60_000, progressive=True),
        "too_many_pixels",
    ),
    "a jpeg that claims a larger size": (pictures.jpeg_claiming(4_000, 4_000), "corrupt_image"),
    "a jpeg of 882 scans": (pictures.jpeg_of_scans(882, 8_000, 8_000), "corrupt_image"),
    "a gif of thousands of frames": (pictures.gif_of_frames(5_000), "too_many_frames"),
    "a gif of a thousand large frames": (
        pictures.gif_of_frames(1_000, 1_000, 1_000),
        "too_many_frames",
    ),
    "a gif of an absurd canvas": (pictures.gif_of_frames(1, 65_535, 65_535), "too_many_pixels"),
    "a webp of 268 million pixels in 30 bytes": (
        pictures.webp_of_one_colour(16_384, 16_384),
        "too_many_pixels",
    ),
    "a webp of thousands of frames": (
        pictures.webp_of_frames(2_000, 4_000, 4_000),
        "too_many_frames",
    ),
    "a gif whose second frame is bad": (pictures.gif_with_a_bad_second_frame(), "corrupt_image"),
    "a webp whose second frame is bad": (pictures.webp_with_a_bad_second_frame(), "corrupt_image"),
    "a webp of an absurd canvas": (
        pictures.webp_of_frames(1, 16_000_000, 255),
        "too_many_pixels",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_hostile_file_is_refused_and_next_photo_accepted(
    darkroom: Darkroom, name: str
) -> None:
    data, code = REFUSED[name]
    assert await outcome(darkroom, data) == code
    assert await outcome(darkroom, PHOTOGRAPHS["jpeg"]) == "accept"


async def test_too_many_pixels_states_number_and_limit(
    darkroom: Darkroom,
) -> None:
    with pytest.raises(
        errors.TooManyPixels, match=r"400,000,000 pixels\. The limit is 210,000,000"
    ):
        await inspect(darkroom, pictures.png_of_zeros(20_000, 20_000))


BOMBS = {
    kind: pictures.png_with(pictures.png_chunk(kind, head + pictures.deflated_zeros(200 << 20)))
    for kind, head in {
        b"zTXt": b"Comment\0\0",
        b"iTXt": b"XML:com.adobe.xmp\0\1\0\0\0",
        b"iCCP": b"icc\0\0",
    }.items()
}


@pytest.mark.parametrize("kind", BOMBS)
async def test_decompression_bomb_in_metadata_does_no_harm(darkroom: Darkroom, kind: bytes) -> None:
    assert await outcome(darkroom, BOMBS[kind]) in {"accept", "corrupt_image"}
    assert await outcome(darkroom, PHOTOGRAPHS["png"]) == "accept"


@pytest.mark.parametrize("name", PHOTOGRAPHS)
async def test_truncated_photo_is_refused(darkroom: Darkroom, name: str) -> None:
    for percent in range(5, 100, 5):
        cut = pictures.truncate(PHOTOGRAPHS[name], percent)
        assert await outcome(darkroom, cut) == "corrupt_image", percent


async def test_gif_truncated_between_frames_is_refused(darkroom: Darkroom) -> None:
    for data in pictures.gif_cuts_between_frames(PHOTOGRAPHS["animated gif"]):
        assert await outcome(darkroom, data) == "corrupt_image"


@pytest.mark.parametrize(
    "name", ["jpeg", "progressive jpeg", "png", "animated gif", "webp", "avif", "heic"]
)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
async def test_flipped_bits_are_accepted_or_cleanly_refused(
    darkroom: Darkroom, name: str, data: st.DataObject
) -> None:
    flipped = bytearray(PHOTOGRAPHS[name])
    for _ in range(data.draw(st.integers(1, 5))):
        flipped[data.draw(st.integers(0, len(flipped) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert await outcome(darkroom, bytes(flipped)) in CLEAN
    assert await outcome(darkroom, PHOTOGRAPHS["gif"]) == "accept"

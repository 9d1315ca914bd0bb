"""Renditions of each kind of photo: upright, in sRGB, and without metadata."""

import io
import json
import struct
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pillow_heif
import pytest
import pytest_asyncio
import pyvips
from PIL import Image, ImageCms, ImageOps

from safelight.catalog.rows import turn_to
from safelight.darkroom import protocol
from safelight.darkroom.pool import Darkroom, RenderResult
from safelight.imaging import presets
from safelight.imaging.render import is_srgb, shrink_on_load
from safelight.models import Preset
from safelight.settings import LimitSettings, RenditionSettings
from support import pictures
from support.metadata import metadata_of

PHOTOGRAPHS = pictures.photographs()
PRESETS = presets.build_presets(RenditionSettings(widths=(64, 100, 200, 400)))
ALL_PRESETS = presets.build_presets(RenditionSettings())
SECRET = "A-SECRET-THAT-MUST-NOT-LEAK"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def darkroom() -> AsyncIterator[Darkroom]:
    room = Darkroom(LimitSettings())
    await room.start()
    yield room
    await room.close()


async def render(
    darkroom: Darkroom, data: bytes, wanted: tuple[Preset, ...] = PRESETS, *, turn: int = 0
) -> RenderResult:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        facts = turn_to((await darkroom.inspect(file, owner="o")).facts, turn)
        chosen = presets.presets_for_image(wanted, facts)
        return await darkroom.render(file, facts, chosen, owner="o")


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)


def mean_difference(data: bytes, expected: Image.Image) -> float:
    """Return the mean difference of two images, from 0 to 255."""
    mine = pixels(data)
    other = np.asarray(expected.convert("RGB").resize(mine.shape[1::-1], Image.Resampling.LANCZOS))
    return float(np.abs(mine - other).mean())


def turned_photos() -> dict[str, tuple[int, bytes]]:
    """Return turns, and pictures of which no two corners are the same."""
    mirrored = pictures.astronaut().transpose(Image.Transpose.TRANSPOSE)
    transparent = pictures.astronaut(mode="RGBA")
    transparent.putalpha(200)
    return {
        "JPEG": (90, pictures.jpeg()),
        "mirrored JPEG": (270, pictures.save(mirrored, "JPEG", exif=pictures.exif(5))),
        "transparent PNG": (180, pictures.save(transparent, "PNG")),
        "deep HEIC": (90, pictures.heic_of_10_bits()),
        "GIF": (270, pictures.gif(256, 192)),
    }


@pytest.mark.parametrize("name", turned_photos())
async def test_renditions_of_a_turned_photo_are_turned_clockwise(
    darkroom: Darkroom, name: str
) -> None:
    turn, data = turned_photos()[name]
    before = (await render(darkroom, data)).images[-1]
    made = (await render(darkroom, data, turn=turn)).images[-1]
    expected = Image.open(io.BytesIO(before.data)).rotate(-turn, expand=True)
    assert (made.width, made.height) == expected.size
    assert mean_difference(made.data, expected) < 4
    assert made.preset.turn == turn


@pytest.mark.parametrize("name", PHOTOGRAPHS)
async def test_photo_of_each_format_gets_its_renditions(darkroom: Darkroom, name: str) -> None:
    made = (await render(darkroom, PHOTOGRAPHS[name])).images
    assert [(image.width, image.height) for image in made] == [
        *((64, 48), (100, 75), (200, 150), (256, 192)),
    ]
    original: Image.Image
    if "16-bit" in name:
        original = pictures.astronaut(mode="L")
    elif "heic" in name:
        original = pillow_heif.open_heif(PHOTOGRAPHS[name]).to_pillow()
    else:
        original = Image.open(io.BytesIO(PHOTOGRAPHS[name]))
    for image in made:
        picture = Image.open(io.BytesIO(image.data))
        assert picture.format == "WEBP"
        assert picture.size == (image.width, image.height)
        assert mean_difference(image.data, original) < (25 if "cmyk" in name else 12)


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_rendition_is_upright(darkroom: Darkroom, orientation: int) -> None:
    stored = pictures.astronaut(512, 384)
    data = pictures.save(stored, "JPEG", exif=pictures.exif(orientation), quality=90)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    for image in (await render(darkroom, data)).images:
        assert mean_difference(image.data, upright) < 12
        assert (image.width > image.height) == (upright.width > upright.height)


async def test_transparency_is_kept(darkroom: Darkroom) -> None:
    picture = pictures.astronaut(300, 300, "RGBA")
    alpha = np.zeros((300, 300), np.uint8)
    alpha[:, 150:] = 255
    picture = picture.copy()
    picture.putalpha(Image.fromarray(alpha))
    for form in ("PNG", "WEBP"):
        rendered = await render(darkroom, pictures.save(picture, form))
        for image in rendered.images:
            made = Image.open(io.BytesIO(image.data))
            assert made.mode == "RGBA"
            bands = np.asarray(made)[:, :, 3]
            assert bands[:, : image.width // 2 - 4].max() < 16
            assert bands[:, image.width // 2 + 4 :].min() > 239
        assert rendered.thumbhash[2] & 0x80


def gif_on_canvas(canvas: tuple[int, int], frame: tuple[int, int], at: tuple[int, int]) -> bytes:
    """Make a GIF with one red frame that covers a part of its canvas."""
    image = Image.new("P", frame, 0)
    image.putpalette([200, 10, 10, 255, 255, 255])
    file = io.BytesIO()
    image.save(file, "GIF")
    data = bytearray(file.getvalue())
    data[6:10] = struct.pack("<HH", *canvas)
    place = data.index(b"\x2c" + struct.pack("<HHHH", 0, 0, *frame))
    data[place + 1 : place + 5] = struct.pack("<HH", *at)
    return bytes(data)


@pytest.mark.parametrize("canvas", [(1000, 800), (1024, 768), (3000, 2000), (2100, 400)])
async def test_gif_rendition_has_the_canvas_size(
    darkroom: Darkroom, canvas: tuple[int, int]
) -> None:
    """If the canvas has the size of an old screen, libvips crops it to the frames."""
    width, height = canvas
    data = gif_on_canvas(canvas, (width // 2, height // 2), (width // 4, height // 4))
    for image in (await render(darkroom, data)).images:
        made = Image.open(io.BytesIO(image.data)).convert("RGB")
        assert made.height == pytest.approx(made.width * height / width, abs=1)
        for across, is_red in ((0.1, False), (0.3, True), (0.7, True), (0.9, False)):
            place = (int(made.width * across), int(made.height * across))
            red, *_ = made.getpixel(place)  # type: ignore[misc]  # three bands
            assert (red > 100) == is_red


@pytest.mark.parametrize(
    ("canvas", "frames", "size", "shown"),
    [
        ((200, 150), [(50, 37, 100, 75)], (200, 150), (50, 37, 150, 112)),
        ((40, 20), [(30, 0, 20, 20)], (50, 20), (30, 0, 50, 20)),
        ((40, 20), [(50, 30, 10, 10)], (60, 40), (50, 30, 60, 40)),
        ((0, 0), [(3, 4, 12, 10)], (15, 14), (3, 4, 15, 14)),
        ((0, 20), [(0, 0, 12, 10)], (12, 20), (0, 0, 12, 10)),
        ((640, 480), [(10, 10, 20, 20)], (640, 480), (10, 10, 30, 30)),
        ((40, 20), [(10, 5, 10, 10), (0, 0, 90, 90)], (40, 20), (10, 5, 20, 15)),
        ((40, 20), [(0, 0, 40, 20), (35, 15, 10, 10)], (40, 20), (0, 0, 40, 20)),
        ((20, 10), [(0, 0, 0, 0)], (20, 10), None),
    ],
)
async def test_gif_is_transparent_where_its_first_frame_does_not_cover_the_canvas(
    darkroom: Darkroom,
    canvas: tuple[int, int],
    frames: list[pictures.GifFrame],
    size: tuple[int, int],
    shown: tuple[int, int, int, int] | None,
) -> None:
    """The values are what Chromium 147 shows."""
    data = pictures.gif_of_rectangles(canvas, *frames)
    made = await render(darkroom, data, ALL_PRESETS)
    image = made.images[-1]
    assert (image.width, image.height) == size
    picture = Image.open(io.BytesIO(image.data)).convert("RGBA")
    assert picture.getchannel("A").point(lambda alpha: 255 * (alpha > 127)).getbbox() == shown
    if shown:
        middle = ((shown[0] + shown[2]) // 2, (shown[1] + shown[3]) // 2)
        red, green, blue, _ = picture.getpixel(middle)  # type: ignore[misc]  # four bands
        assert (abs(red - 200), abs(green - 10), abs(blue - 10)) < (9, 9, 9)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """Make a profile that swaps red and blue, with a text in it."""
    profile = bytearray(srgb_profile())
    tags = int.from_bytes(profile[128:132], "big")
    at = {bytes(profile[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(tags)}
    red, blue = at[b"rXYZ"], at[b"bXYZ"]
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


async def test_other_colour_spaces_are_converted_to_srgb(darkroom: Darkroom) -> None:
    data = pictures.jpeg(icc_profile=swapped_profile(), quality=95)
    red, green, blue = Image.open(io.BytesIO(data)).split()
    expected = Image.merge("RGB", (blue, green, red))
    for image in (await render(darkroom, data)).images:
        assert mean_difference(image.data, expected) < 8


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (None, True),
        (srgb_profile(), True),
        (swapped_profile(), False),
        (pyvips.Image.profile_load("p3"), False),
        (srgb_profile()[:200], True),
        (b"no profile", True),
        (srgb_profile() + bytes(4096), False),
    ],
    ids=["none", "sRGB", "swapped", "Display P3", "cut", "nonsense", "large"],
)
def test_profile_that_changes_no_colour_counts_as_srgb(
    profile: bytes | None, *, expected: bool
) -> None:
    image = pyvips.Image.black(8, 8, bands=3).copy(interpretation="srgb")
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    assert is_srgb(image) is expected


async def test_srgb_profile_does_not_change_renditions(darkroom: Darkroom) -> None:
    one, other = [
        await render(darkroom, pictures.jpeg(icc_profile=profile, quality=95))
        for profile in (None, srgb_profile())
    ]
    assert [image.data for image in one.images] == [image.data for image in other.images]


THIN = [(1, 1), (1, 3000), (3000, 1), (63, 63), (1280, 1), (2560, 3), (5120, 7), (5000, 65)]


@pytest.mark.parametrize("size", [*THIN, (10, 40_000), (1, 40_000), (40_000, 1)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
async def test_unusual_size_gets_its_renditions(
    darkroom: Darkroom, form: str, size: tuple[int, int]
) -> None:
    if form in {"WEBP", "AVIF"}:  # WebP can't be longer, and libaom would take seconds.
        size = (min(size[0], 16_383), min(size[1], 16_383))
    data = pictures.save(pictures.astronaut(*size), form)
    for wanted in (ALL_PRESETS, *([preset] for preset in ALL_PRESETS)):
        made = (await render(darkroom, data, tuple(wanted))).images
        assert [(image.width, image.height) for image in made] == [
            image.preset.size_for(*size) for image in made
        ]
        assert made
    for image in made:
        assert Image.open(io.BytesIO(image.data)).size == (image.width, image.height)


@pytest.mark.parametrize("orientation", [1, 6])
async def test_thin_jpeg_gets_the_renditions_of_the_same_png(
    darkroom: Darkroom, orientation: int
) -> None:
    """A JPEG of few lines must not lose some of them when it is shrunk while it is decoded."""
    stored = pictures.astronaut(2560, 7)
    for options in ({"quality": 95}, {"quality": 95, "progressive": True}):
        exif = pictures.exif(orientation)
        one = await render(
            darkroom, pictures.save(stored, "JPEG", exif=exif, **options), ALL_PRESETS
        )
        other = await render(darkroom, pictures.save(stored, "PNG", exif=exif), ALL_PRESETS)
        for mine, expected in zip(one.images, other.images, strict=True):
            assert np.abs(pixels(mine.data) - pixels(expected.data)).mean() < 6


async def test_heights_are_rounded_from_the_size_of_the_photo(darkroom: Darkroom) -> None:
    presets_3_2 = presets.build_presets(RenditionSettings(widths=(320, 640, 1280)))
    made = (await render(darkroom, pictures.jpeg(1500, 1000), presets_3_2)).images
    assert [(each.width, each.height) for each in made] == [(320, 213), (640, 427), (1280, 853)]


async def test_lossless_jpeg_is_shown_as_a_whole(darkroom: Darkroom) -> None:
    picture = pictures.astronaut(200, 160)
    data = pictures.jpeg_lossless(picture)
    for image in (await render(darkroom, data)).images:
        assert mean_difference(image.data, picture) < 12


def pixel_art(side: int, mode: str = "RGB") -> Image.Image:
    """Make an image of a few strong colours, in which each pixel differs from its neighbours."""
    colours = np.array([[255, 0, 77], [0, 228, 54], [41, 173, 255], [29, 43, 83]], np.uint8)
    places = np.random.default_rng(1).integers(0, len(colours), (side, side))
    return Image.fromarray(colours[places]).convert(mode)


@pytest.mark.parametrize("side", [1, 16, 64, 128])
@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP"])
async def test_tiny_picture_keeps_its_colours(darkroom: Darkroom, form: str, side: int) -> None:
    picture = pixel_art(side)
    options = {"lossless": True} if form == "WEBP" else {}
    (image,) = (await render(darkroom, pictures.save(picture, form, **options), ALL_PRESETS)).images
    made = Image.open(io.BytesIO(image.data)).convert("RGB")
    assert np.array_equal(np.asarray(made), np.asarray(picture))


async def test_tiny_picture_keeps_its_transparency(darkroom: Darkroom) -> None:
    picture = pixel_art(32, "RGBA")
    picture.putalpha(Image.linear_gradient("L").resize((32, 32)).point(lambda a: 255 * (a > 127)))
    (image,) = (await render(darkroom, pictures.save(picture, "PNG"), ALL_PRESETS)).images
    made = np.asarray(Image.open(io.BytesIO(image.data)))
    opaque = np.asarray(picture)[:, :, 3] > 0
    assert np.array_equal(made[:, :, 3], np.asarray(picture)[:, :, 3])
    assert np.array_equal(made[opaque], np.asarray(picture)[opaque])


async def test_larger_picture_gets_lossy_renditions(darkroom: Darkroom) -> None:
    (image,) = (await render(darkroom, pictures.png(160, 120), ALL_PRESETS)).images
    assert b"VP8 " in image.data[:40]
    (image,) = (await render(darkroom, pictures.png(128, 128), ALL_PRESETS)).images
    assert b"VP8L" in image.data[:40]


@pytest.mark.parametrize(
    ("size", "widest", "shrink"),
    [((4000, 3000), 2560, 1), ((4000, 3000), 640, 4), ((4000, 3000), 320, 8), ((640, 480), 640, 1),
     ((1279, 900), 640, 1), ((1280, 900), 640, 2)],
)  # fmt: skip
def test_jpeg_is_shrunk_while_it_is_decoded(
    size: tuple[int, int], widest: int, shrink: int
) -> None:
    assert shrink_on_load(*size, widest) == shrink


# Privacy


def photos_with_private_data() -> dict[str, bytes]:
    """Make photos with private data in every place that their format has for it."""
    fields = pictures.exif(6, "2017:06:17 20:35:13", "+02:00")
    fields[0x010E] = fields[0x013B] = fields[0x8298] = SECRET
    fields.get_ifd(pictures.EXIF_IFD)[0x9286] = SECRET.encode()
    fields.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{SECRET}</x:xmpmeta>".encode()
    profile = srgb_profile() + SECRET.encode()
    more: dict[str, Any] = {"exif": fields, "icc_profile": profile}
    iptc = b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0\0\x20\x1c\x02\x78\0\x1b" + SECRET.encode()
    jpeg = pictures.jpeg(**more, xmp=xmp, comment=SECRET)
    text = pictures.png_chunk(b"tEXt", b"Comment\0" + SECRET.encode())
    return {
        "jpeg": jpeg[:2] + pictures.jpeg_segment(0xED, iptc) + jpeg[2:],
        "png": pictures.png(**more),
        "png with a text": pictures.png_with(text),
        "webp": pictures.webp(**more, xmp=xmp),
        "gif": pictures.save(pictures.astronaut(), "GIF", comment=SECRET),
    }


PRIVATE_PHOTOS = photos_with_private_data()


@pytest.mark.parametrize("name", PRIVATE_PHOTOS)
async def test_rendition_contains_no_metadata(darkroom: Darkroom, name: str) -> None:
    assert SECRET.encode() in PRIVATE_PHOTOS[name]
    made = (await render(darkroom, PRIVATE_PHOTOS[name])).images
    assert made
    for image in made:
        assert metadata_of(image.data) == []
        assert SECRET.encode() not in image.data


def small_jpegs() -> dict[str, bytes]:
    """Return JPEGs of 640 by 480 pixels, or 480 by 640, with all kinds of colours."""
    fields = pictures.exif(6)
    fields[0x010E] = SECRET
    picture = pictures.astronaut(640, 480)
    profile = bytes(pyvips.Image.profile_load("p3"))
    save = partial(pictures.save, picture, "JPEG", quality=90)
    return {
        "plain": save(),
        "rotated, with metadata": save(exif=fields, comment=SECRET),
        "progressive": save(progressive=True),
        "Display P3": save(icc_profile=profile),
        "grey": pictures.save(pictures.astronaut(640, 480, "L"), "JPEG"),
        "CMYK": pictures.save(pictures.astronaut(640, 480, "CMYK"), "JPEG"),
    }


SMALL_JPEGS = small_jpegs()


@pytest.mark.parametrize("name", SMALL_JPEGS)
async def test_jpeg_that_is_not_shrunk_becomes_a_jpeg_in_srgb_without_metadata(
    darkroom: Darkroom, name: str
) -> None:
    data = SMALL_JPEGS[name]
    small, whole = (await render(darkroom, data, ALL_PRESETS)).images[-2:]
    picture = Image.open(io.BytesIO(whole.data))
    assert (picture.format, picture.size) == ("JPEG", (whole.width, whole.height))
    assert whole.preset.content_type == "image/jpeg"
    assert (small.data[8:12], small.preset.content_type) == (b"WEBP", "image/webp")
    assert sorted(picture.size) == [480, 640]
    assert metadata_of(whole.data) == []
    assert SECRET.encode() not in whole.data
    # The same pixels as in a PNG of the photo, of which the renditions are WebPs.
    stored = Image.open(io.BytesIO(data))
    if stored.mode != "CMYK":
        more = {"icc_profile": stored.info.get("icc_profile"), "exif": stored.getexif()}
        png = (await render(darkroom, pictures.save(stored, "PNG", **more), ALL_PRESETS)).images[-1]
        assert np.abs(pixels(whole.data) - pixels(png.data)).mean() < 3


def test_metadata_reader_finds_metadata() -> None:
    assert {"Exif\0", SECRET[:5]} <= set(metadata_of(SMALL_JPEGS["rotated, with metadata"]))
    assert {"EXIF", "XMP ", "ICCP"} <= set(metadata_of(PRIVATE_PHOTOS["webp"]))


# A decoder's answer


def answer(**changes: object) -> bytes:
    good = {"renditions": [[4, 3, 20]], "thumbhash": "AAAAAAAA", "colour": "ffffff"}
    return json.dumps(good | changes).encode()


WEBP = pictures.webp(64, 48)[:20]


def test_renditions_are_read_from_shared_memory() -> None:
    (made,) = protocol.decode_render(answer(), PRESETS[:1], WEBP).images
    assert (made.preset, made.width, made.height, made.data) == (PRESETS[0], 4, 3, WEBP)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{}",
        answer(renditions=[]),
        answer(renditions=[[4, 3, 20]] * 2),
        answer(renditions=[[65, 3, 20]]),
        answer(renditions=[[4, 3, 21]]),
        answer(renditions=[[4, 3, -1]]),
        answer(renditions=[[4, 0, 20]]),
        answer(thumbhash=""),
        answer(thumbhash="A" * 400),
        answer(colour="red"),
        answer(colour="ffffff\n"),
        answer(more=1),
    ],
)
def test_invalid_render_answer_raises_protocol_error(
    message: bytes,
) -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.decode_render(message, PRESETS[:1], WEBP)


@pytest.mark.parametrize("content_type", ["image/webp", "image/jpeg"])
def test_rendition_must_start_like_its_format(content_type: str) -> None:
    data = {
        "image/webp": WEBP,
        "image/jpeg": pictures.jpeg(64, 48)[:20],
        "text/html": pictures.HTML,
    }
    preset = replace(PRESETS[0], content_type=content_type)
    protocol.decode_render(answer(), [preset], data.pop(content_type))
    for other in data.values():
        with pytest.raises(protocol.ProtocolError):
            protocol.decode_render(answer(), [preset], other)

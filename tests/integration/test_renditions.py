"""Renditions: of every kind of picture, upright, in sRGB, and with nothing but pixels in them."""

import csv
import io
import struct
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import pyvips
from PIL import Image, ImageCms, ImageOps

import pictures
from safelight.darkroom import messages
from safelight.darkroom.pool import Darkroom, Development
from safelight.photo import Preset
from safelight.renditions import presets
from safelight.renditions.rendering import is_srgb, shrink_on_load
from safelight.settings import LimitSettings, RenditionSettings

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
PHOTOGRAPHS = pictures.photographs()
LADDER = presets.ladder(RenditionSettings(widths=(64, 100, 200, 400)))
SECRET = "A-SECRET-THAT-MUST-NOT-LEAK"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def darkroom() -> AsyncIterator[Darkroom]:
    room = Darkroom(LimitSettings(), drill=True)
    await room.start()
    yield room
    await room.close()


async def develop(
    darkroom: Darkroom, data: bytes, ladder: tuple[Preset, ...] = LADDER
) -> Development:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        facts = (await darkroom.inspect(file)).facts
        return await darkroom.develop(file, facts, presets.steps(ladder, facts.width))


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)


def likeness(data: bytes, expected: Image.Image) -> float:
    """How far apart two pictures are: the mean difference, of 255."""
    mine = pixels(data)
    other = np.asarray(expected.convert("RGB").resize(mine.shape[1::-1], Image.Resampling.LANCZOS))
    return float(np.abs(mine - other).mean())


@pytest.mark.parametrize("name", PHOTOGRAPHS)
async def test_a_photograph_of_each_kind_gets_its_ladder(darkroom: Darkroom, name: str) -> None:
    made = (await develop(darkroom, PHOTOGRAPHS[name])).exposures
    assert [(each.width, each.height) for each in made] == [
        *((64, 48), (100, 75), (200, 150), (256, 192)),
    ]
    original: Image.Image = Image.open(io.BytesIO(PHOTOGRAPHS[name]))
    if "16-bit" in name:
        original = pictures.astronaut(mode="L")
    for each in made:
        picture = Image.open(io.BytesIO(each.data))
        assert picture.format == "WEBP"
        assert picture.size == (each.width, each.height)
        assert likeness(each.data, original) < (25 if "cmyk" in name else 12)


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_rendition_is_upright(darkroom: Darkroom, orientation: int) -> None:
    stored = pictures.astronaut(512, 384)
    data = pictures.save(stored, "JPEG", exif=pictures.exif(orientation), quality=90)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    for each in (await develop(darkroom, data)).exposures:
        assert likeness(each.data, upright) < 12
        assert (each.width > each.height) == (upright.width > upright.height)


async def test_transparency_is_kept(darkroom: Darkroom) -> None:
    picture = pictures.astronaut(300, 300, "RGBA")
    alpha = np.zeros((300, 300), np.uint8)
    alpha[:, 150:] = 255
    picture = picture.copy()
    picture.putalpha(Image.fromarray(alpha))
    for form in ("PNG", "WEBP"):
        development = await develop(darkroom, pictures.save(picture, form))
        for each in development.exposures:
            made = Image.open(io.BytesIO(each.data))
            assert made.mode == "RGBA"
            bands = np.asarray(made)[:, :, 3]
            assert bands[:, : each.width // 2 - 4].max() < 16
            assert bands[:, each.width // 2 + 4 :].min() > 239
        assert development.thumbhash[2] & 0x80


def gif_on_canvas(canvas: tuple[int, int], frame: tuple[int, int], at: tuple[int, int]) -> bytes:
    """A GIF of one red frame that covers a part of its canvas."""
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
async def test_a_gif_is_as_large_as_its_canvas(darkroom: Darkroom, canvas: tuple[int, int]) -> None:
    """libvips leaves out what no frame covers, if the sides are those of an old screen."""
    width, height = canvas
    data = gif_on_canvas(canvas, (width // 2, height // 2), (width // 4, height // 4))
    for each in (await develop(darkroom, data)).exposures:
        made = Image.open(io.BytesIO(each.data)).convert("RGB")
        assert made.height == pytest.approx(made.width * height / width, abs=1)
        for across, is_red in ((0.1, False), (0.3, True), (0.7, True), (0.9, False)):
            place = (int(made.width * across), int(made.height * across))
            red, *_ = made.getpixel(place)  # type: ignore[misc]  # three bands
            assert (red > 100) == is_red


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """A profile in which red and blue have changed places, with a text in it."""
    profile = bytearray(srgb_profile())
    tags = int.from_bytes(profile[128:132], "big")
    at = {bytes(profile[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(tags)}
    red, blue = at[b"rXYZ"], at[b"bXYZ"]
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


async def test_other_colours_are_converted_to_srgb(darkroom: Darkroom) -> None:
    data = pictures.jpeg(icc_profile=swapped_profile(), quality=95)
    red, green, blue = Image.open(io.BytesIO(data)).split()
    expected = Image.merge("RGB", (blue, green, red))
    for each in (await develop(darkroom, data)).exposures:
        assert likeness(each.data, expected) < 8


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
def test_a_profile_that_changes_no_colour_is_known_by_that(
    profile: bytes | None, *, expected: bool
) -> None:
    image = pyvips.Image.black(8, 8, bands=3).copy(interpretation="srgb")
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    assert is_srgb(image) is expected


async def test_the_profile_of_srgb_changes_no_rendition(darkroom: Darkroom) -> None:
    one, other = [
        await develop(darkroom, pictures.jpeg(icc_profile=profile, quality=95))
        for profile in (None, srgb_profile())
    ]
    assert [each.data for each in one.exposures] == [each.data for each in other.exposures]


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (63, 63), (10, 40_000)])
async def test_a_picture_of_odd_sides_gets_one_at_least(
    darkroom: Darkroom, size: tuple[int, int]
) -> None:
    made = (await develop(darkroom, pictures.save(pictures.astronaut(*size), "PNG"))).exposures
    assert made
    assert all(each.width <= size[0] and each.height <= min(size[1], 16_383) for each in made)


@pytest.mark.parametrize(
    ("size", "widest", "shrink"),
    [((4000, 3000), 2560, 1), ((4000, 3000), 640, 4), ((4000, 3000), 320, 8), ((640, 480), 640, 1),
     ((1279, 900), 640, 1), ((1280, 900), 640, 2)],
)  # fmt: skip
def test_a_jpeg_is_decoded_no_larger_than_it_must(
    size: tuple[int, int], widest: int, shrink: int
) -> None:
    assert shrink_on_load(*size, widest) == shrink


# Privacy


def revealing() -> dict[str, bytes]:
    """Pictures that tell more than they show, in every place that a format has for it."""
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


REVEALING = revealing()


def told_by(data: bytes) -> list[str]:
    """Tell what a rendition tells beside its pixels, by readers that aren't libvips."""
    chunks, at = [], 12
    while at < len(data):
        chunks.append(data[at : at + 4].decode())
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "little") + 1 & ~1
    picture = Image.open(io.BytesIO(data))
    picture.load()
    told = [
        str(key)
        for key in picture.info
        if key not in {"loop", "background", "timestamp", "duration"}
    ]
    return [
        *(chunk for chunk in chunks if chunk not in {"VP8 ", "VP8L", "VP8X", "ALPH"}),
        *told,
        *map(str, picture.getexif()),
    ]


@pytest.mark.parametrize("name", REVEALING)
async def test_a_rendition_tells_nothing_but_its_pixels(darkroom: Darkroom, name: str) -> None:
    assert SECRET.encode() in REVEALING[name]
    made = (await develop(darkroom, REVEALING[name])).exposures
    assert made
    for each in made:
        assert told_by(each.data) == []
        assert SECRET.encode() not in each.data


def test_the_reader_of_this_test_finds_what_there_is() -> None:
    assert {"EXIF", "XMP ", "ICCP"} <= set(told_by(REVEALING["webp"]))


if CORPUS.is_dir():  # Its pictures aren't ours to copy: where it isn't, this test isn't.

    def good_pictures() -> list[dict[str, str]]:
        with (CORPUS / "manifest.tsv").open(encoding="utf-8") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            formats = {"jpeg", "png", "gif", "webp", "avif", "heic"}
            return [r for r in rows if r["expected"] == "accept" and r["format"] in formats]

    async def test_no_picture_of_the_corpus_leaks_and_each_has_its_shape(
        darkroom: Darkroom,
    ) -> None:
        for row in good_pictures():
            made = (await develop(darkroom, (CORPUS / row["path"]).read_bytes())).exposures
            assert made, row["path"]
            for each in made:
                assert told_by(each.data) == [], row["path"]
                assert not row["must_not_leak"] or row["must_not_leak"].encode() not in each.data


# A child's word


def answer(**changes: object) -> bytes:
    good = {"renditions": [[4, 3, 20]], "thumbhash": "AAAAAAAA", "colour": "ffffff"}
    return messages._spell(good | changes)


WEBP = pictures.webp(64, 48)[:20]


def test_what_a_child_laid_down_is_read_by_its_word() -> None:
    (made,) = messages.read_development(answer(), LADDER[:1], WEBP).exposures
    assert (made.preset, made.width, made.height, made.data) == (LADDER[0], 4, 3, WEBP)


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
def test_a_child_s_word_on_renditions_is_not_taken_for_more_than_it_can_say(
    message: bytes,
) -> None:
    with pytest.raises(messages.BadAnswer):
        messages.read_development(message, LADDER[:1], WEBP)


def test_what_is_no_webp_is_not_taken_for_a_rendition() -> None:
    with pytest.raises(messages.BadAnswer):
        messages.read_development(answer(), LADDER[:1], pictures.HTML)

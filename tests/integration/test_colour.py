"""Renditions of pictures whose colours are described by numbers, made by a real decoder."""

import io
from collections.abc import AsyncIterator
from datetime import timedelta

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image, ImageCms

from safelight.darkroom.pool import Darkroom
from safelight.settings import LimitSettings
from support import colours, pictures
from support.colours import (
    ADOBE_RGB,
    PRIMARIES,
    avif,
    chrm,
    cicp,
    expected,
    expected_of_power,
    gama,
    heic,
    png,
)
from support.darkrooms import render

PATCHES = colours.patches()
GREY = np.ascontiguousarray(PATCHES[:, :, 0])
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SDR, HDR = 2.0, 4.0
"""The largest mean errors, of those of lossy compression and of ours."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def darkroom() -> AsyncIterator[Darkroom]:
    room = Darkroom(LimitSettings(decode_seconds=timedelta(minutes=2)), children=1)
    await room.start()
    yield room
    await room.close()


async def check(
    darkroom: Darkroom, data: bytes, right: colours.Pixels, name: str | None, limit: float = SDR
) -> None:
    facts, rendered = await render(darkroom, data)
    assert colours.error(rendered.images[-1].data, right) <= limit
    assert facts.details.profile == name


@pytest.mark.parametrize("primaries", PRIMARIES)
async def test_primaries_are_converted(darkroom: Darkroom, primaries: int) -> None:
    right = expected(PATCHES, 13, PRIMARIES[primaries])
    names = {1: None, 4: "BT.470 M", 5: "BT.601 625", 6: "BT.601 525", 7: "SMPTE 240M", 8: "Film"}
    names |= {9: "BT.2020", 11: "DCI-P3", 12: "Display P3", 22: "EBU 3213"}
    for data in (
        png(PATCHES, cicp(primaries, 13)),
        avif(PATCHES, primaries, 13),
        heic(PATCHES, primaries, 13),
    ):
        await check(darkroom, data, right, names[primaries])


@pytest.mark.parametrize(
    ("transfer", "name"),
    [
        (4, "BT.709 gamma 2.2"),
        (5, "BT.709 gamma 2.8"),
        (7, "BT.709 SMPTE 240M"),
        (8, "Linear sRGB"),
    ],
)
async def test_transfer_is_converted(darkroom: Darkroom, transfer: int, name: str) -> None:
    right = expected(PATCHES, transfer)
    for data in (png(PATCHES, cicp(1, transfer)), heic(PATCHES, 1, transfer)):
        await check(darkroom, data, right, name, limit=3)


@pytest.mark.parametrize("transfer", [1, 6, 11, 14, 15])
async def test_camera_curves_are_those_of_displays(darkroom: Darkroom, transfer: int) -> None:
    still = png(PATCHES, cicp(9, transfer))
    await check(darkroom, still, expected_of_power(PATCHES, 2.4, PRIMARIES[9]), "BT.2020 gamma 2.4")
    await check(
        darkroom, avif(PATCHES, 9, transfer), expected(PATCHES, 13, PRIMARIES[9]), "BT.2020"
    )


@pytest.mark.parametrize("codes", [(1, 13), (2, 2), (1, 1), (3, 13), (0, 0), (200, 99)])
async def test_other_codes_of_videos_are_srgb(darkroom: Darkroom, codes: tuple[int, int]) -> None:
    for data in (avif(PATCHES, *codes), heic(PATCHES, 1, 13)):
        await check(darkroom, data, PATCHES, None)


@pytest.mark.parametrize("chunk", [cicp(3, 13), cicp(12, 2), cicp(12, 13, 1), cicp(12, 13, 0, 0)])
async def test_reserved_codes_of_a_png_are_ignored(darkroom: Darkroom, chunk: bytes) -> None:
    await check(darkroom, png(PATCHES, chunk), PATCHES, None)
    await check(darkroom, png(PATCHES, chunk, gama(1.0)), expected(PATCHES, 8), "Linear sRGB")


@pytest.mark.parametrize(("transfer", "kind"), [(16, "PQ"), (18, "HLG")], ids=["pq", "hlg"])
async def test_high_range_is_mapped_to_tones_of_srgb(
    darkroom: Darkroom, transfer: int, kind: str
) -> None:
    right = expected(PATCHES, transfer, PRIMARIES[9])
    for data in (
        png(PATCHES, cicp(9, transfer)),
        colours.png_16_bit(PATCHES, cicp(9, transfer)),
        avif(PATCHES, 9, transfer),
        heic((PATCHES.astype(np.uint16) * 257), 9, transfer),
    ):
        await check(darkroom, data, right, f"BT.2100 {kind}", HDR)
    p3 = expected(PATCHES, transfer, PRIMARIES[12])
    await check(darkroom, png(PATCHES, cicp(12, transfer)), p3, f"Display P3 {kind}", HDR)


@pytest.mark.parametrize("peak", [100, 400, 4000])
async def test_peak_of_the_content_is_used(darkroom: Darkroom, peak: int) -> None:
    right = expected(PATCHES, 16, PRIMARIES[9], peak=peak)
    number = (peak * 10_000).to_bytes(4, "big")
    brightest = pictures.png_chunk(b"cLLI", number + bytes(4))
    display = pictures.png_chunk(b"mDCV", bytes(16) + number + bytes(4))
    for chunk in (brightest, display):
        await check(darkroom, png(PATCHES, cicp(9, 16), chunk), right, "BT.2100 PQ", HDR)


async def test_gamma_and_chromaticities_are_converted(darkroom: Darkroom) -> None:
    for chunks, right, name in [
        ([gama(1.0)], expected(PATCHES, 8), "Linear sRGB"),
        ([gama(1 / 1.8)], expected_of_power(PATCHES, 1.8), "BT.709 gamma 1.8"),
        ([gama(1 / 2.2), chrm(ADOBE_RGB)], expected_of_power(PATCHES, 2.2, ADOBE_RGB), "Adobe RGB"),
        ([gama(1 / 2.2), chrm(PRIMARIES[1])], expected_of_power(PATCHES, 2.2), "BT.709 gamma 2.2"),
        (
            [chrm(PRIMARIES[4]), gama(0.5)],
            expected_of_power(PATCHES, 2.0, PRIMARIES[4]),
            "RGB gamma 2",
        ),
        ([gama(1 / 2.2)], PATCHES, None),
        ([chrm(PRIMARIES[12])], PATCHES, None),
    ]:
        await check(darkroom, png(PATCHES, *chunks), right, name)


async def test_codes_take_precedence_over_the_profile_of_a_png(darkroom: Darkroom) -> None:
    profile = pictures.save(Image.fromarray(PATCHES), "PNG", icc_profile=SRGB_PROFILE)
    p3 = expected(PATCHES, 13, PRIMARIES[12])
    both = profile[:33] + cicp(12, 13) + profile[33:]
    await check(darkroom, both, p3, "Display P3")
    await check(darkroom, profile[:33] + gama(1.0) + profile[33:], PATCHES, "sRGB built-in")


async def test_profile_takes_precedence_over_the_codes_of_a_heic(darkroom: Darkroom) -> None:
    plain = avif(PATCHES, 12, 13)
    image = Image.open(io.BytesIO(plain))
    data = pictures.save(image, "AVIF", quality=100, subsampling="4:4:4", icc_profile=SRGB_PROFILE)
    await check(darkroom, data.replace(b"nclx\0\1", b"nclx\0\x0c"), PATCHES, "sRGB built-in")


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG", "AVIF"])
async def test_codes_in_a_profile_are_used_for_high_range(darkroom: Darkroom, form: str) -> None:
    image = Image.fromarray(PATCHES)
    options = {"quality": 100, "subsampling": "4:4:4"} if form in {"JPEG", "AVIF"} else {}
    for transfer, name in ((16, "BT.2100 PQ"), (18, "BT.2100 HLG")):
        profile = colours.profile_with_codes(9, transfer)
        data = pictures.save(image, form, icc_profile=profile, **options)
        await check(darkroom, data, expected(PATCHES, transfer, PRIMARIES[9]), name, HDR)
    p3 = pictures.save(image, form, icc_profile=colours.profile_with_codes(12, 13), **options)
    await check(darkroom, p3, PATCHES, "sRGB built-in")


async def test_codes_of_the_bitstream_are_used_without_others(darkroom: Darkroom) -> None:
    right = expected(PATCHES, 13, PRIMARIES[12])
    single = colours.avif_without_property(PATCHES, 12, 13)
    await check(darkroom, single, right, "Display P3")
    facts, rendered = await render(darkroom, pictures.heif_grid(single, 2, 1))
    assert facts.details.profile == "Display P3"
    assert len(rendered.images) == 1


async def test_every_kind_of_pixel_is_converted(darkroom: Darkroom) -> None:
    """Grey, palettes, 16 bits, alpha, interlacing, and the first image of an animation."""
    light = expected(PATCHES, 8)
    grey = light[:, :, :1].repeat(3, axis=2)
    opaque = np.dstack([PATCHES, np.full(PATCHES.shape[:2], 255, np.uint8)])
    palette = pictures.save(Image.fromarray(PATCHES).quantize(16), "PNG")
    moving = pictures.save(
        Image.fromarray(PATCHES), "PNG", save_all=True, append_images=[Image.fromarray(PATCHES)]
    )
    for data, right in [
        (png(GREY, gama(1.0)), grey),
        (colours.png_16_bit(GREY[:, :, None], gama(1.0)), grey),
        (colours.png_16_bit(GREY[:, :, None], cicp(12, 8)), grey),
        (colours.png_16_bit(PATCHES, gama(1.0)), light),
        (png(opaque, gama(1.0)), light),
        (colours.png_16_bit(opaque, gama(1.0)), light),
        (palette[:33] + gama(1.0) + palette[33:], light),
        (moving[:33] + gama(1.0) + moving[33:], light),
    ]:
        _, rendered = await render(darkroom, data)
        assert colours.error(rendered.images[-1].data, right) <= SDR


@pytest.mark.parametrize("bits", [8, 16])
async def test_alpha_is_kept(darkroom: Darkroom, bits: int) -> None:
    alpha = np.full(PATCHES.shape[:2], 51, np.uint8)
    pixels = np.dstack([PATCHES, alpha])
    make = png if bits == 8 else colours.png_16_bit
    _, rendered = await render(darkroom, make(pixels, cicp(12, 8)))
    made = np.asarray(Image.open(io.BytesIO(rendered.images[-1].data)))
    assert np.abs(made[:, :, 3].astype(int) - 51).max() <= 1
    assert colours.error(rendered.images[-1].data, expected(PATCHES, 8, PRIMARIES[12])) <= 4


async def test_shrunk_pictures_of_16_bits_are_upright_and_converted(darkroom: Darkroom) -> None:
    large = PATCHES.repeat(8, axis=0).repeat(8, axis=1)
    turned = pictures.exif(6).tobytes().removeprefix(b"Exif\0\0")
    data = colours.png_16_bit(large, gama(1.0), pictures.png_chunk(b"eXIf", turned))
    facts, rendered = await render(darkroom, data)
    assert (facts.width, facts.height) == (768, 1024)
    right = np.rot90(expected(PATCHES, 8), -1)
    for image in rendered.images:
        made = (
            Image.open(io.BytesIO(image.data))
            .convert("RGB")
            .resize((96, 128), Image.Resampling.BOX)
        )
        assert np.abs(np.asarray(made)[16::32, 16::32] - right[16::32, 16::32]).mean() <= SDR


async def test_limited_range_is_converted(darkroom: Darkroom) -> None:
    right = expected(PATCHES, 13, PRIMARIES[12])
    await check(darkroom, heic(PATCHES, 12, 13, full_range=False), right, "Display P3", limit=3)


async def test_thumbhash_and_main_colour_have_converted_colours(darkroom: Darkroom) -> None:
    pixels = np.full((64, 64, 3), (60, 140, 90), np.uint8)
    _, plain = await render(darkroom, png(pixels))
    _, rendered = await render(darkroom, png(pixels, cicp(12, 13)))
    made = np.array([int(rendered.colour[place : place + 2], 16) for place in (0, 2, 4)])
    assert np.abs(made - (0, 142, 85)).max() <= 2
    assert rendered.thumbhash != plain.thumbhash

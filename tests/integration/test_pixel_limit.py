"""Large photos: each kind within its estimated memory, and one at the pixel limit."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

from safelight import errors
from safelight.darkroom import capacity
from safelight.darkroom.pool import Inspection
from safelight.darkroom.process import DecoderProcess
from safelight.imaging import decode
from safelight.imaging.cost import estimate
from safelight.imaging.formats import HEAD_BYTES, detect_format
from safelight.settings import LimitSettings
from support import pictures
from support.darkrooms import all_presets, inspect, open_darkroom, pids, render, status_of

WIDTH, HEIGHT = 2_500, 1_500
MIB = 1 << 20


def noisy(bands: int = 3) -> pyvips.Image:
    """Return a picture that is expensive for every codec."""
    pixels = np.random.default_rng(1).integers(100, 140, (HEIGHT, WIDTH, bands), np.uint8)
    return pyvips.Image.new_from_array(pixels).copy(interpretation="cmyk" if bands == 4 else "srgb")


def gif() -> bytes:
    return pictures.save(Image.new("P", (WIDTH, HEIGHT)), "GIF")


def avif(**options: object) -> bytes:
    # In one tile, 4:2:0 and 8 bits as cameras write it, unless other options are given.
    file = noisy().heifsave_buffer(compression="av1", effort=0, **options)
    assert isinstance(file, bytes)
    return file


# Of each way to decode, what needs most memory.
KINDS: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: noisy().jpegsave_buffer(Q=90, subsample_mode="off"),
    "progressive jpeg": lambda: noisy().jpegsave_buffer(interlace=True),
    "progressive jpeg, 4:4:4": lambda: noisy().jpegsave_buffer(
        interlace=True, subsample_mode="off"
    ),
    "progressive cmyk jpeg": lambda: noisy(4).jpegsave_buffer(interlace=True, subsample_mode="off"),
    "png": lambda: pictures.png_of_zeros(WIDTH, HEIGHT, 16, 4),
    "interlaced png": lambda: pictures.png_of_zeros(WIDTH, HEIGHT, 8, 3, interlaced=True),
    "interlaced 16-bit png": lambda: pictures.png_of_zeros(WIDTH, HEIGHT, 16, 4, interlaced=True),
    "gif": gif,
    "webp": lambda: noisy().webpsave_buffer(effort=0),
    "lossless webp": lambda: noisy().webpsave_buffer(effort=0, lossless=True),
    "animated webp": lambda: pictures.webp_of_frames(4, WIDTH, HEIGHT),
    "avif": avif,
    "avif of 10 bits, 4:4:4": lambda: avif(subsample_mode="off", bitdepth=10),
    "avif of tiles": lambda: pictures.heif_grid(pictures.avif(500, 500), 5, 3),
    "heic": lambda: pictures.heic(WIDTH, HEIGHT),
    "heic of tiles": lambda: pictures.heif_grid(pictures.heic(500, 500), 5, 3),
    "heic of 10 bits": lambda: pictures.heic_of_10_bits(WIDTH, HEIGHT),
    "heic with alpha": lambda: pictures.heic(WIDTH, HEIGHT, "RGBA"),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_photo_needs_no_more_than_its_estimate(kind: str) -> None:
    data = KINDS[kind]()
    form = detect_format(data[:HEAD_BYTES])
    assert form is not None
    cost = estimate(decode._HEADERS[form.name](data), form.name, len(data))
    async with open_darkroom() as room:
        room._deadline = timedelta(minutes=5)  # Its CPU time is still limited.
        facts, rendered = await render(room, data)
        (child,) = pids(room)
        fields = dict(line.split(":", 1) for line in status_of(child).splitlines())
    assert (facts.width, facts.height) == (WIDTH, HEIGHT)
    assert [each.width for each in rendered.images] == [320, 640, 1280, WIDTH]
    assert int(fields["VmPeak"].split()[0]) * 1024 <= cost.space
    # The pages of the file itself can be dropped at any time.
    assert int(fields["VmHWM"].split()[0]) * 1024 - len(data) <= cost.memory


def test_default_limit_lets_phones_of_200_megapixels_in() -> None:
    assert LimitSettings().max_pixels >= 16_320 * 12_288


@pytest.mark.timeout(600)  # on a busy machine
async def test_photo_of_200_megapixels_is_decoded_and_rendered() -> None:
    """A JPEG, the cheapest kind: what others would need is proven above, for each pixel."""
    data = pyvips.Image.black(16_320, 12_240).jpegsave_buffer()
    async with open_darkroom() as room:
        room._deadline = timedelta(minutes=5)
        facts, rendered = await render(room, data)
    assert (facts.width, facts.height) == (16_320, 12_240)
    assert [each.width for each in rendered.images] == [320, 640, 1280, 2560]


@pytest.mark.timeout(600)
async def test_large_photo_gets_a_decoder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "_USUAL", 256 * MIB)
    data = pictures.webp_of_one_colour(WIDTH, HEIGHT)
    async with open_darkroom() as room:
        assert (await inspect(room, pictures.jpeg())).facts.format == "jpeg"
        usual = pids(room)
        assert (await inspect(room, data)).facts.width == WIDTH
        assert pids(room) <= usual, "its decoder has ended"
        _, rendered = await render(room, data)
        assert [each.width for each in rendered.images] == [320, 640, 1280, WIDTH]
        assert room.queue.free_memory == room.queue._memory


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["animated webp", "avif", "heic of tiles"])
async def test_large_photo_is_rendered_by_the_decoder_that_inspects_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "_USUAL", 256 * MIB)
    used, call, data = list[int](), DecoderProcess.call, KINDS[kind]()

    async def record(decoder: DecoderProcess, *request: Any, **options: Any) -> bytes:
        used.append(decoder.pid)
        return await call(decoder, *request, **options)

    async with open_darkroom() as room:
        facts, rendered = await render(room, data)
        monkeypatch.setattr(DecoderProcess, "call", record)
        both = await inspect(room, data, all_presets)
    assert both == Inspection(facts=facts, rendered=rendered)
    assert len(used) == 3, "the first one finds that the photo is large"
    assert used[0] != used[1] == used[2]


@pytest.mark.parametrize("kind", ["lossless webp", "avif"])
async def test_damaged_large_photo_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although its pixels may be read only when it is rendered."""
    monkeypatch.setattr(capacity, "_USUAL", 256 * MIB)
    data = KINDS[kind]()
    middle = len(data) // 2
    async with open_darkroom() as room:
        with pytest.raises(errors.CorruptImage):
            await inspect(room, data[:middle] + b"\xff" * (len(data) - middle), all_presets)


async def test_photo_that_needs_too_much_memory_is_refused_before_it_is_decoded() -> None:
    data = pictures.png_of_zeros(4 * WIDTH, HEIGHT, 16, 4, interlaced=True)
    async with open_darkroom(decode_memory=256 * MIB) as room:
        with pytest.raises(
            errors.TooManyPixels,
            match=r"takes 3\d\d MB of memory\. The limit of this server is 256 MB\.$",
        ):
            await inspect(room, data)


async def test_compromised_decoder_gets_no_more_than_the_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its word on what a photo needs is not enough."""
    monkeypatch.setattr(capacity, "_USUAL", 256 * MIB)
    data = pictures.webp_of_one_colour(WIDTH, HEIGHT)
    async with open_darkroom(decode_memory=1024 * MIB) as room:
        room.limits = room.limits.__class__(
            **{
                name: getattr(room.limits, name)
                for name in room.limits.__dataclass_fields__
                if name != "max_address_space"
            },
            max_address_space=300 * MIB,
        )
        with pytest.raises(errors.CorruptImage):
            await inspect(room, data)

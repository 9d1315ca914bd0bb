"""Each format at the pixel limit: decoded and rendered within a decoder's memory."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import pyvips
from PIL import Image

from safelight.settings import LimitSettings
from support import pictures
from support.darkrooms import open_darkroom, pids, render, status_of

WIDTH, HEIGHT = 12_000, 10_000
MIB = 1 << 20


def of_one_colour() -> pyvips.Image:
    return pyvips.Image.black(WIDTH, HEIGHT).bandjoin([120, 200]).cast("uchar")


# Of each decoder what needs most memory: a plain JPEG needs less than a progressive one.
AT_THE_LIMIT: dict[str, Callable[[], bytes]] = {
    "progressive jpeg": lambda: of_one_colour().jpegsave_buffer(interlace=True),
    "interlaced png": lambda: pictures.png_of_zeros(WIDTH, HEIGHT, 16, 4, interlaced=True),
    "gif": lambda: pictures.save(Image.new("P", (WIDTH, HEIGHT)), "GIF"),
    "webp": lambda: of_one_colour().webpsave_buffer(effort=0),
    "lossless webp": lambda: pictures.webp_of_one_colour(WIDTH, HEIGHT),
    "animated webp": lambda: pictures.webp_of_frames(4, WIDTH, HEIGHT),
    "avif": lambda: of_one_colour().heifsave_buffer(compression="av1", effort=0),
    "heic of tiles": lambda: pictures.heif_grid(pictures.heic(1000, 1000), 12, 10),
}


def test_size_is_the_default_limit() -> None:
    assert LimitSettings().max_pixels == WIDTH * HEIGHT


@pytest.mark.timeout(300)  # on a busy machine
@pytest.mark.parametrize("name", AT_THE_LIMIT)
async def test_photo_at_the_pixel_limit_is_decoded_and_rendered(name: str) -> None:
    data = AT_THE_LIMIT[name]()
    async with open_darkroom() as room:
        # Its CPU time is still limited, but other tests may delay it.
        room._deadline = timedelta(minutes=5)
        facts, rendered = await render(room, data)
        (child,) = pids(room)
        (peak,) = (line for line in status_of(child).splitlines() if line.startswith("VmPeak"))
    assert (facts.width, facts.height) == (WIDTH, HEIGHT)
    assert [each.width for each in rendered.images] == [320, 640, 1280, 2560]
    assert int(peak.split()[1]) * 1024 < 3072 * MIB

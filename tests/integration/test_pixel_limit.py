"""Every format at the limit of its pixels: decoded and developed within what a child may use."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
import pyvips
from PIL import Image

import pictures
from darkrooms import develop, open_darkroom, pids, status_of
from safelight.settings import LimitSettings

WIDTH, HEIGHT = 12_000, 10_000
MIB = 1 << 20


def full_of_detail() -> pyvips.Image:
    """The photograph, over and over."""
    return pyvips.Image.new_from_array(np.asarray(pictures.astronaut(1000, 1000))).replicate(12, 10)


def of_one_colour() -> pyvips.Image:
    return pyvips.Image.black(WIDTH, HEIGHT).bandjoin([120, 200]).cast("uchar")


AT_THE_LIMIT: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: full_of_detail().jpegsave_buffer(),
    "progressive jpeg": lambda: full_of_detail().jpegsave_buffer(interlace=True),
    "png": lambda: pictures.png_of_zeros(WIDTH, HEIGHT, 16, 4),
    "interlaced png": lambda: pictures.png_of_zeros(WIDTH, HEIGHT, 16, 4, interlaced=True),
    "gif": lambda: pictures.save(Image.new("P", (WIDTH, HEIGHT)), "GIF"),
    "webp": lambda: full_of_detail().webpsave_buffer(Q=60, effort=0),
    "lossless webp": lambda: pictures.webp_of_one_colour(WIDTH, HEIGHT),
    "animated webp": lambda: pictures.webp_of_frames(4, WIDTH, HEIGHT),
    "avif": lambda: of_one_colour().heifsave_buffer(compression="av1", effort=0),
    "avif of tiles": lambda: pictures.heif_grid(pictures.avif(1000, 1000), 12, 10),
    "heic of tiles": lambda: pictures.heif_grid(pictures.heic(1000, 1000), 12, 10),
}


def test_it_is_the_limit() -> None:
    assert LimitSettings().max_pixels == WIDTH * HEIGHT


@pytest.mark.parametrize("name", AT_THE_LIMIT)
async def test_a_picture_at_the_pixel_limit_is_decoded_and_developed(name: str) -> None:
    data = AT_THE_LIMIT[name]()
    async with open_darkroom() as room:
        # Its processor time is limited all the same; other tests may keep it from having that.
        room._deadline = timedelta(minutes=5)
        facts, development = await develop(room, data)
        (child,) = pids(room)
        (peak,) = (line for line in status_of(child).splitlines() if line.startswith("VmPeak"))
    assert (facts.width, facts.height) == (WIDTH, HEIGHT)
    assert [each.width for each in development.exposures] == [320, 640, 1280, 2560]
    assert int(peak.split()[1]) * 1024 < 3072 * MIB

"""The thumbhash and the main colour of a few pixels."""

import pytest

from safelight.imaging import thumbhash
from support import pictures

Pixels = list[tuple[int, int, int, int]]


def pixels(mode: str, width: int = 32, height: int = 24) -> Pixels:
    image = pictures.astronaut(width, height, mode).convert("RGBA")
    flat = image.tobytes()
    return [(*flat[at : at + 4],) for at in range(0, len(flat), 4)]


def mean_of(code: bytes) -> tuple[float, float, float]:
    """Decode the mean colour of a thumbhash."""
    head = int.from_bytes(code[:3], "little")
    light, yellow, red = (head & 63) / 63, (head >> 6 & 63) / 31.5 - 1, (head >> 12 & 63) / 31.5 - 1
    blue = light - 2 / 3 * yellow
    return (3 * light - blue + red) / 2, (3 * light - blue - red) / 2, blue


def test_thumbhash_contains_mean_colour_and_shape() -> None:
    for width, height in [(32, 24), (24, 32), (32, 32), (1, 1), (32, 1)]:
        sample = pixels("RGB", width, height)
        code = thumbhash.thumbhash(sample, width, height)
        mean = [sum(pixel[band] for pixel in sample) / len(sample) / 255 for band in range(3)]
        assert mean_of(code) == pytest.approx(mean, abs=0.05)
        assert bool(code[4] & 0x80) == (width > height)
        assert not code[2] & 0x80
        assert 5 < len(code) <= 25


def test_thumbhash_of_gradient_has_one_wave() -> None:
    grey = [(value, value, value, 255) for _ in range(32) for value in range(0, 256, 8)]
    code = thumbhash.thumbhash(grey, 32, 32)
    first_wave, second_wave = code[5] & 15, code[5] >> 4
    assert first_wave == 0  # The dark side is on the left, where the cosine is highest.
    assert second_wave in {7, 8}


def test_thumbhash_contains_transparency() -> None:
    half = [(200, 30, 30, 255 if at % 32 < 16 else 0) for at in range(32 * 32)]
    code = thumbhash.thumbhash(half, 32, 32)
    assert code[2] & 0x80
    assert code[5] & 15 == 8  # Half of it is opaque.


def test_fully_transparent_image_has_thumbhash_and_colour() -> None:
    nothing = [(9, 9, 9, 0)] * 16
    assert len(thumbhash.thumbhash(nothing, 4, 4)) > 5
    assert thumbhash.main_colour(nothing) == "ffffff"


def test_main_colour_is_close_to_most_opaque_pixels() -> None:
    opaque = [(250, 10, 10, 255)] * 5 + [(252, 12, 12, 255)] * 5 + [(0, 0, 255, 255)] * 8
    assert thumbhash.main_colour(opaque + [(0, 255, 0, 0)] * 50) == "fb0b0b"


def turned(sample: Pixels, width: int) -> Pixels:
    """Return pixels of this width, turned clockwise by 90 degrees."""
    rows = [sample[at : at + width] for at in range(0, len(sample), width)]
    return [pixel for column in zip(*reversed(rows), strict=True) for pixel in column]


@pytest.mark.parametrize(
    ("mode", "width", "height"),
    [("RGB", 32, 24), ("RGB", 24, 32), ("RGBA", 32, 20), ("RGBA", 9, 32), ("RGB", 32, 3)],
)
def test_turned_thumbhash_is_that_of_the_turned_pixels(mode: str, width: int, height: int) -> None:
    """But for waves that lie between two of their values."""
    sample = [
        (*pixel[:3], 255 - at % 200) if mode == "RGBA" else pixel
        for at, pixel in enumerate(pixels("RGB", width, height))
    ]
    code, expected = thumbhash.thumbhash(sample, width, height), sample
    for degrees in (90, 180, 270):
        expected = turned(expected, height if degrees == 180 else width)
        size = (width, height) if degrees == 180 else (height, width)
        other = thumbhash.thumbhash(expected, *size)
        mine = thumbhash.turn_thumbhash(code, degrees)
        assert mine[:5] == other[:5]
        assert len(mine) == len(other)
        for a, b in zip(mine[5:], other[5:], strict=True):
            assert abs((a & 15) - (b & 15)) <= 1
            assert abs((a >> 4) - (b >> 4)) <= 1
    assert thumbhash.turn_thumbhash(code, 360) == code

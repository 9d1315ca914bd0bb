"""Compute a photo's thumbhash and main colour from a few pixels.

A thumbhash (https://evanw.github.io/thumbhash/) holds the lowest frequencies of lightness, of two
colour axes and of alpha, with four bits each, behind a header.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import starmap
from operator import mul, sub
from typing import Final

MAX_SIDE: Final = 32
"""The longest side of the input, in pixels: finer detail doesn't change the result."""

_Pixels = Sequence[tuple[int, int, int, int]]
_OPAQUE: Final = 255
_NOISE: Final = 1e-9
"""The largest value that is only a rounding error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Channel:
    """The cosine transform of a channel: its mean, the rest, and the largest of the rest."""

    mean: float
    waves: tuple[float, ...]
    scale: float

    def nibbles(self) -> list[int]:
        """Return the waves, quantized to four bits each."""
        if not self.scale:
            return [0] * len(self.waves)
        return [_round(15 * (0.5 + wave / self.scale / 2)) for wave in self.waves]


def thumbhash(pixels: _Pixels, width: int, height: int) -> bytes:
    """Return the thumbhash of RGBA pixels, given row by row: 5 to 25 bytes."""
    alphas = [pixel[3] / 255 for pixel in pixels]
    transparent = sum(alphas) < len(alphas)
    planes = _planes(pixels, alphas)
    longest, most = max(width, height), 5 if transparent else 7
    across = max(1, _round(most * width / longest))
    down = max(1, _round(most * height / longest))
    light = _transform(planes[0], width, height, max(3, across), max(3, down))
    yellow, red = (_transform(plane, width, height, 3, 3) for plane in planes[1:])
    head = _round(63 * light.mean) | _round(31.5 + 31.5 * yellow.mean) << 6
    head |= _round(31.5 + 31.5 * red.mean) << 12 | _round(31 * light.scale) << 18
    head |= transparent << 23
    landscape = width > height
    tail = (down if landscape else across) | _round(63 * yellow.scale) << 3
    tail |= _round(63 * red.scale) << 9 | landscape << 15
    code = head.to_bytes(3, "little") + tail.to_bytes(2, "little")
    channels = [light, yellow, red]
    if transparent:
        opacity = _transform(alphas, width, height, 5, 5)
        code += bytes([_round(15 * opacity.mean) | _round(15 * opacity.scale) << 4])
        channels.append(opacity)
    return code + _pack([nibble for channel in channels for nibble in channel.nibbles()])


def turn_thumbhash(code: bytes, degrees: int) -> bytes:
    """Return the thumbhash of the image turned clockwise, by a multiple of 90 degrees.

    A quarter turn swaps the axes of each wave, and mirrors those across: their sign changes with
    each half wave.
    """
    for _ in range(degrees // 90 % 4):
        code = _quarter_turn(code)
    return code


def _quarter_turn(code: bytes) -> bytes:
    tail = int.from_bytes(code[3:5], "little")
    transparent, landscape, shorter = code[2] >> 7, tail >> 15, max(3, tail & 7)
    most = 5 if transparent else 7
    across, down = (most, shorter) if landscape else (shorter, most)
    # A square is stored as a portrait is.
    is_landscape = not landscape and shorter < most
    head = 6 if transparent else 5
    nibbles = iter([half for byte in code[head:] for half in (byte & 15, byte >> 4)])
    turned = list[int]()
    for columns, rows in ((across, down), (3, 3), (3, 3), *([(5, 5)] * transparent)):
        waves = {place: next(nibbles, 0) for place in _places(columns, rows)}
        turned += [15 - waves[y, x] if x % 2 else waves[y, x] for x, y in _places(rows, columns)]
    tail = tail & 0x7FFF | is_landscape << 15
    return code[:3] + tail.to_bytes(2, "little") + code[5:head] + _pack(turned)


def main_colour(pixels: _Pixels) -> str:
    """Return the colour that most opaque pixels are close to, as six hex digits."""
    boxes: dict[tuple[int, int, int], list[tuple[int, int, int]]] = defaultdict(list)
    for red, green, blue, alpha in pixels:
        if alpha >= _OPAQUE // 2:
            boxes[red >> 5, green >> 5, blue >> 5].append((red, green, blue))
    if not boxes:
        return "ffffff"
    most = max(boxes.values(), key=len)
    return "".join(f"{round(sum(values) / len(most)):02x}" for values in zip(*most, strict=True))


def _planes(pixels: _Pixels, alphas: Sequence[float]) -> tuple[list[float], ...]:
    """Return the planes of lightness, yellow-blue and red-green, blended over the mean colour."""
    total = sum(alphas)
    if total == len(alphas):  # Opaque: this gives the same in a third of the time.
        reds, greens, blues, _ = (
            [value / _OPAQUE for value in band] for band in zip(*pixels, strict=True)
        )
        return (
            [
                (red + green + blue) / 3
                for red, green, blue in zip(reds, greens, blues, strict=True)
            ],
            [
                (red + green) / 2 - blue
                for red, green, blue in zip(reds, greens, blues, strict=True)
            ],
            list(map(sub, reds, greens)),
        )
    mean = [
        sum(pixel[band] / 255 * alpha for pixel, alpha in zip(pixels, alphas, strict=True)) / total
        if total
        else 0.0
        for band in range(3)
    ]

    def split(pixel: tuple[int, int, int, int], alpha: float) -> tuple[float, float, float]:
        red, green, blue = (
            under * (1 - alpha) + value / 255 * alpha
            for under, value in zip(mean, pixel, strict=False)
        )
        return (red + green + blue) / 3, (red + green) / 2 - blue, red - green

    return tuple(
        list(plane) for plane in zip(*starmap(split, zip(pixels, alphas, strict=True)), strict=True)
    )


def _transform(plane: Sequence[float], width: int, height: int, across: int, down: int) -> _Channel:
    """Compute the lowest frequencies: the triangle below `across` and `down`."""
    across_waves, down_waves = _cosines(across, width), _cosines(down, height)
    rows = [plane[start : start + width] for start in range(0, width * height, width)]
    summed = [[sum(map(mul, row, wave)) for row in rows] for wave in across_waves]
    waves = [
        sum(map(mul, summed[x], down_waves[y])) / (width * height)
        for x, y in ((0, 0), *_places(across, down))
    ]
    mean, *rest = waves
    scale = max(map(abs, rest), default=0.0)
    return _Channel(mean=mean, waves=tuple(rest), scale=scale if scale > _NOISE else 0.0)


@cache
def _places(across: int, down: int) -> list[tuple[int, int]]:
    """Return the numbers of half waves, across and down, in the order in which they are stored."""
    triangle = [
        (x, y) for y in range(down) for x in range(across) if x * down < across * (down - y)
    ]
    return triangle[1:]


@cache
def _cosines(count: int, length: int) -> list[list[float]]:
    return [
        [math.cos(math.pi / length * turn * (place + 0.5)) for place in range(length)]
        for turn in range(count)
    ]


def _pack(nibbles: Sequence[int]) -> bytes:
    """Pack two numbers of four bits into each byte, the first into the low bits."""
    even = [*nibbles, 0] if len(nibbles) % 2 else nibbles
    return bytes(low | high << 4 for low, high in zip(even[::2], even[1::2], strict=True))


def _round(value: float) -> int:
    """Round half up, as the reference implementation does."""
    return math.floor(value + 0.5)

"""Convert an image to sRGB by its colour description, with libvips.

Light is relative to diffuse white: 1.0 is white in sRGB, and 203 cd/m² in PQ and HLG (ITU-R
BT.2408). What is brighter is mapped into the range of sRGB as Chromium does it
(docs/decisions/0018-colour.md).

Import this in a decoder process only.
"""

import math
from typing import Any, Final

import pyvips

from safelight.imaging.colour.description import (
    BT709,
    BT2020,
    DEFAULT_PEAK,
    SRGB_CURVE,
    ColourDescription,
    Curve,
    HighRange,
    Primaries,
    Transfer,
)
from safelight.imaging.colour.matrix import conversion_matrix

_WHITE: Final = 203.0
"""Candelas per square metre of diffuse white."""
_PQ_PEAK: Final = 10_000.0
_PQ_POWERS: Final = (2610 / 16_384, 2523 / 32)
_PQ_FACTORS: Final = (107 / 128, 2413 / 128, 2392 / 128)
_HLG_PEAK: Final = 1_000.0
_HLG_GAMMA: Final = 1.2
_HLG_CURVE: Final = (0.17883277, 0.28466892, 0.55991073)
_LUMINANCE: Final = [[0.2627, 0.678, 0.0593]]
"""Of BT.2020."""
_KNEE: Final = 0.65
_MAX: Final = 65_535


def to_srgb(image: Any, colour: ColourDescription) -> Any:
    """Return the image in eight bits of sRGB, with three bands and any alpha.

    `image` has 8 or 16 bits, one or three bands of colour, and may have alpha.
    """
    bands = 1 if image.bands < 3 else 3
    is_deep = image.format == "ushort"
    pixels = image.extract_band(0, n=bands)
    if bands == 1 or _keeps_bands_apart(colour):
        level = pyvips.Image.identity(ushort=is_deep)
        converted = pixels.maplut(_convert(level.bandjoin([level, level]), colour)[0])
        converted = converted.bandjoin([converted, converted]) if bands == 1 else converted
    else:
        converted = _convert(pixels, colour)
    if image.bands > bands:
        alpha = image[bands]
        converted = converted.bandjoin(((alpha / 257).rint() if is_deep else alpha).cast("uchar"))
    return converted.copy(interpretation="srgb")


def _keeps_bands_apart(colour: ColourDescription) -> bool:
    """Whether a band depends on no other, so that one table converts it."""
    return isinstance(colour.transfer, Curve) and colour.primaries.is_close_to(BT709)


def _convert(pixels: Any, colour: ColourDescription) -> Any:
    """Convert three bands."""
    light = pixels.maplut(_light_table(colour.transfer, is_deep=pixels.format == "ushort"))
    primaries = colour.primaries
    if isinstance(colour.transfer, HighRange):
        light = _map_tones(_recombine(light, primaries, BT2020), colour)
        primaries = BT2020
    return _recombine(light, primaries, BT709, factor=_MAX).cast("ushort").maplut(_srgb_table())


def _recombine(light: Any, source: Primaries, target: Primaries, *, factor: float = 1.0) -> Any:
    """Convert light between primaries, and multiply it."""
    rows = conversion_matrix(source.points, target.points)
    if rows is None or source.is_close_to(target):
        return light * factor
    return light.recomb([[number * factor for number in row] for row in rows])


def _map_tones(light: Any, colour: ColourDescription) -> Any:
    """Map light of BT.2020 primaries to at most 1.0, without a change of hue."""
    if colour.transfer is HighRange.HLG:
        # The display's part, by which bright colours become brighter (OOTF; BT.2100, table 5).
        luminance = light.recomb(_LUMINANCE).maxpair(0)
        light = light * luminance ** (_HLG_GAMMA - 1) * (_HLG_PEAK / _WHITE)
    red, green, blue = light.bandsplit()
    return light * _gain(red.maxpair(green).maxpair(blue), colour.peak / _WHITE)


def _gain(brightest: Any, peak: float) -> Any:
    """Return by what to multiply pixels whose brightest band has this light.

    Up to diffuse white it is one number. From there to the peak, which becomes 1.0, it follows a
    quadratic Bézier curve (the Reference White Tone Mapping Operator, SMPTE ST 2094-50, annex D).
    """
    if peak <= 1:
        return brightest * 0 + 1  # Nothing is mapped: the range is that of sRGB.
    white = 1 - 0.5 * min(math.log(peak) / math.log(DEFAULT_PEAK / _WHITE), 1.0)
    middle, middle_result = 1 - _KNEE + _KNEE / white, white + _KNEE * (1 - white)
    bend, slope = 1 - 2 * middle + peak, 2 * (middle - 1)
    over = brightest.maxpair(1.0).minpair(peak) - 1
    way = over * 2 / ((over * (4 * bend) + slope**2) ** 0.5 + slope).maxpair(1e-9)
    result = way * (way * (1 + white - 2 * middle_result) + 2 * (middle_result - white)) + white
    return (brightest <= 1).ifthenelse(white, result / brightest.maxpair(1.0))


def _light_table(transfer: Transfer, *, is_deep: bool) -> Any:
    """Return a table of the light that each level stands for."""
    level = pyvips.Image.identity(ushort=is_deep) / (_MAX if is_deep else 255)
    if transfer is HighRange.PQ:
        return _pq_light(level)
    if transfer is HighRange.HLG:
        a, b, c = _HLG_CURVE
        bright = (((level - c) / a).exp() + b) / 12
        return (level <= 0.5).ifthenelse(level**2 / 3, bright)
    light = (level * transfer.scale + transfer.offset) ** transfer.gamma
    return (level < transfer.limit).ifthenelse(level * transfer.slope, light)


def _pq_light(level: Any) -> Any:
    """Return the light of PQ (BT.2100, table 4)."""
    (inner, outer), (c1, c2, c3) = _PQ_POWERS, _PQ_FACTORS
    power = level ** (1 / outer)
    return ((power - c1).maxpair(0) / (c2 - power * c3)) ** (1 / inner) * (_PQ_PEAK / _WHITE)


def _srgb_table() -> Any:
    """Return a table from 16 bits of light to eight of sRGB."""
    light, curve = pyvips.Image.identity(ushort=True) / _MAX, SRGB_CURVE
    bright = (light ** (1 / curve.gamma) - curve.offset) / curve.scale
    level = (light <= curve.limit * curve.slope).ifthenelse(light / curve.slope, bright)
    return (level * 255).rint().cast("uchar")

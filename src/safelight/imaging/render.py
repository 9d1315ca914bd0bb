"""Make the renditions of a photo with libvips, each from the one before.

Import this in a decoder process only.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pyvips

from safelight.imaging.colour.convert import to_srgb
from safelight.imaging.colour.description import ColourDescription
from safelight.models import Preset

MAX_SIDE: Final = 16_383
"""The longest side of a WebP (RFC 9649, 2.6)."""

_SHRINKS: Final = (8, 4, 2)
_PROFILE: Final = "icc-profile-data"
_MAX_SRGB_PROFILE: Final = 4096
"""The most bytes that a profile of sRGB has: three colours and their curve take no more."""
_SAMPLES: Final = 17
_ORIENTATION: Final = "orientation"
_QUARTER_TURNS: Final = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedRendition:
    """One rendition, encoded as WebP. Sizes are pixels; `image` is the image that was encoded."""

    width: int
    height: int
    data: bytes
    image: Any


def shrink_on_load(width: int, height: int, widest: int) -> int:
    """Return the factor by which to shrink a JPEG while it is decoded; sides are as displayed."""
    scale = max(width / widest, height / MAX_SIDE)
    return next((shrink for shrink in _SHRINKS if shrink <= scale), 1)


def extend_to_canvas(image: Any, width: int, height: int) -> Any:
    """Extend a GIF's frame to the size at which it is displayed.

    If the canvas size is one of those that are often wrong, libvips crops the canvas to the frames.
    Otherwise it fills the rest: transparent, or black if the GIF has no transparency.
    """
    if image.width >= width and image.height >= height:
        return image
    return image.embed(0, 0, max(width, image.width), max(height, image.height), extend="black")


def render(
    image: Any, presets: Sequence[Preset], *, colour: ColourDescription | None = None
) -> Iterator[EncodedRendition]:
    """Make the renditions, the widest first; `image` may be sequential, and is read once.

    It may have any orientation and colour space, as loaded: that of its profile, or of `colour`,
    which takes precedence. Raises pyvips.Error.
    """
    steps: tuple[_Step, ...] = _FIRST_STEPS
    if colour and image.interpretation != "cmyk":
        steps = (_remove_profile, _shrink_upright, partial(_convert, colour=colour), _compute)
    largest: Any = None
    for preset in sorted(presets, key=lambda preset: preset.width, reverse=True):
        for step in steps:
            image = step(image, largest, preset)
        largest, steps = largest or image, _NEXT_STEPS
        data = _encode(image, preset)
        yield EncodedRendition(width=image.width, height=image.height, data=data, image=image)


def _shrink_to_srgb(image: Any, _largest: Any, preset: Preset) -> Any:
    """Shrink to the preset's width: upright, with alpha, in eight bits of sRGB.

    libvips rotates last, when few pixels are left, and takes an invalid profile for sRGB. An image
    in sRGB is not converted: that would take as much time as encoding it.
    """
    export = {"export_profile": "srgb"}
    if image.interpretation == "srgb" and is_srgb(image):
        image, export = _remove_profile(image, None, preset), {}
    return image.thumbnail_image(preset.width, height=MAX_SIDE, size="down", **export)


def _shrink_upright(image: Any, _largest: Any, preset: Preset) -> Any:
    """Shrink to the preset's width: upright, with alpha, in the same bits and colours.

    `thumbnail_image` would reduce 16 bits to eight, of which light and PQ need more.
    """
    if image.format != "ushort":
        return image.thumbnail_image(preset.width, height=MAX_SIDE, size="down")
    turned = image.get_typeof(_ORIENTATION) and image.get(_ORIENTATION) in _QUARTER_TURNS
    width, height = (image.height, image.width) if turned else (image.width, image.height)
    scale = min(preset.width / width, MAX_SIDE / height)
    if scale < 1 and image.hasalpha():
        image = image.premultiply().resize(scale).unpremultiply().cast("ushort")
    elif scale < 1:
        image = image.resize(scale)
    return image.copy_memory().autorot()


def _convert(image: Any, _largest: Any, _preset: Preset, *, colour: ColourDescription) -> Any:
    """Convert to eight bits of sRGB."""
    return to_srgb(image, colour)


def is_srgb(image: Any) -> bool:
    """Whether an image has no profile, or one that leaves a sample of all colours unchanged.

    An invalid profile does, too: libvips takes it for sRGB.
    """
    if not image.get_typeof(_PROFILE):
        return True
    profile = image.get(_PROFILE)
    if len(profile) > _MAX_SRGB_PROFILE:
        return False
    sample = _sample()
    sample.set_type(pyvips.GValue.blob_type, _PROFILE, profile)
    try:
        converted = sample.icc_transform("srgb", embedded=True)
        return bool((converted - sample).abs().max() <= 1)
    except pyvips.Error:
        return False


def _sample() -> Any:
    """Return an image of colours that are spread evenly over sRGB."""
    coordinates = pyvips.Image.xyz(_SAMPLES * _SAMPLES, _SAMPLES)
    x, blue = coordinates[0], coordinates[1]
    red, green = x % _SAMPLES, (x / _SAMPLES).floor()
    colours = red.bandjoin([green, blue]) * (255 / (_SAMPLES - 1))
    return colours.rint().cast("uchar").copy(interpretation="srgb")


def _shrink(image: Any, largest: Any, preset: Preset) -> Any:
    """Shrink an image that is upright and in sRGB, in the proportions of the largest one.

    Otherwise the rounding errors of the heights would add up.
    """
    width = min(preset.width, largest.width)
    height = max(1, round(largest.height * width / largest.width))
    return image.thumbnail_image(width, height=height, size="force")


def _compute(image: Any, _largest: Any, _preset: Preset) -> Any:
    """Compute the pixels now: they are encoded, and also the source of the next rendition."""
    return image.copy_memory()


def _remove_profile(image: Any, _largest: Any, _preset: Preset) -> Any:
    """Remove the profile: the image is in sRGB now."""
    bare = image.copy()
    bare.remove(_PROFILE)
    return bare


def _encode(image: Any, preset: Preset) -> bytes:
    """Encode the pixels only: no EXIF, XMP, IPTC, comment, thumbnail or profile."""
    data: bytes = image.webpsave_buffer(Q=preset.quality, effort=preset.effort, keep="none")
    return data


_Step = Callable[[Any, Any, Preset], Any]
_FIRST_STEPS: Final = (_shrink_to_srgb, _compute, _remove_profile)
_NEXT_STEPS: Final = (_shrink, _compute)

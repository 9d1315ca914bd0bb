"""Make the renditions of a picture with libvips, each from the one before.

Import this in a child process of the darkroom only.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyvips

from safelight.photo import Preset

MAX_SIDE: Final = 16_383
"""No WebP has a longer side (RFC 9649, 2.6)."""

_SHRINKS: Final = (8, 4, 2)
_PROFILE: Final = "icc-profile-data"
_LARGEST_SRGB: Final = 4096
"""Bytes of a profile that may be sRGB's: three colours and their curve take no more."""
_SAMPLES: Final = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One rendition's bytes, a WebP. Sizes are pixels; `image` is what was encoded."""

    width: int
    height: int
    data: bytes
    image: Any


def shrink_on_load(width: int, height: int, widest: int) -> int:
    """By how much a JPEG of these sides, as displayed, may be shrunk while it is decoded."""
    scale = max(width / widest, height / MAX_SIDE)
    return next((shrink for shrink in _SHRINKS if shrink <= scale), 1)


def on_canvas(image: Any, width: int, height: int) -> Any:  # noqa: ANN401
    """Give a GIF's frame the sides that it is displayed with.

    libvips leaves out what no frame covers, if the sides are such as are often wrong; otherwise it
    makes that transparent, or black where the GIF has no transparency.
    """
    if image.width >= width and image.height >= height:
        return image
    return image.embed(0, 0, max(width, image.width), max(height, image.height), extend="black")


def render(image: Any, presets: Sequence[Preset]) -> Iterator[Rendered]:  # noqa: ANN401
    """Make the renditions, the widest first; `image` may be sequential, and is read once.

    It comes as it was loaded, turned or not, in any colours. Raises pyvips.Error.
    """
    steps: tuple[_Step, ...] = _FROM_THE_FILE
    largest: Any = None
    for preset in sorted(presets, key=lambda preset: preset.width, reverse=True):
        for step in steps:
            image = step(image, largest, preset)
        largest, steps = largest or image, _FROM_THE_ONE_BEFORE
        data = _encoded_without_metadata(image, preset)
        yield Rendered(width=image.width, height=image.height, data=data, image=image)


def _shrunk_upright_in_srgb(image: Any, _largest: Any, preset: Preset) -> Any:  # noqa: ANN401
    """Shrink to the preset's width, turned as it is displayed, alpha kept, in eight bits of sRGB.

    libvips does the turning last, when little is left to turn, and takes a profile that is none
    for sRGB. What is sRGB is left alone, since the conversion costs as much as an encoding.
    """
    export = {"export_profile": "srgb"}
    if image.interpretation == "srgb" and is_srgb(image):
        image, export = _without_profile(image, None, preset), {}
    return image.thumbnail_image(preset.width, height=MAX_SIDE, size="down", **export)


def is_srgb(image: Any) -> bool:  # noqa: ANN401
    """Whether a picture has no profile, or one that leaves a sample of all colours as they are.

    So does what is no profile at all: libvips takes it for sRGB.
    """
    if not image.get_typeof(_PROFILE):
        return True
    profile = image.get(_PROFILE)
    if len(profile) > _LARGEST_SRGB:
        return False
    sample = _sample()
    sample.set_type(pyvips.GValue.blob_type, _PROFILE, profile)
    try:
        converted = sample.icc_transform("srgb", embedded=True)
        return bool((converted - sample).abs().max() <= 1)
    except pyvips.Error:
        return False


def _sample() -> Any:  # noqa: ANN401
    """Give a picture of colours that lie evenly in the whole cube of sRGB."""
    places = pyvips.Image.xyz(_SAMPLES * _SAMPLES, _SAMPLES)
    red, green, blue = places[0] % _SAMPLES, (places[0] / _SAMPLES).floor(), places[1]
    colours = red.bandjoin([green, blue]) * (255 / (_SAMPLES - 1))
    return colours.rint().cast("uchar").copy(interpretation="srgb")


def _shrunk(image: Any, largest: Any, preset: Preset) -> Any:  # noqa: ANN401
    """Shrink what is upright and in sRGB already, in the proportions of the largest.

    Otherwise the rounding of each height would add up.
    """
    width = min(preset.width, largest.width)
    height = max(1, round(largest.height * width / largest.width))
    return image.thumbnail_image(width, height=height, size="force")


def _computed(image: Any, _largest: Any, _preset: Preset) -> Any:  # noqa: ANN401
    """Compute the pixels now: they are encoded, and the next rendition starts from them."""
    return image.copy_memory()


def _without_profile(image: Any, _largest: Any, _preset: Preset) -> Any:  # noqa: ANN401
    """Drop the profile, sRGB's by now: it has done its work."""
    bare = image.copy()
    bare.remove(_PROFILE)
    return bare


def _encoded_without_metadata(image: Any, preset: Preset) -> bytes:  # noqa: ANN401
    """Encode the pixels and nothing else: no EXIF, XMP, IPTC, comment, thumbnail or profile."""
    data: bytes = image.webpsave_buffer(Q=preset.quality, effort=preset.effort, keep="none")
    return data


_Step = Callable[[Any, Any, Preset], Any]
_FROM_THE_FILE: Final = (_shrunk_upright_in_srgb, _computed, _without_profile)
_FROM_THE_ONE_BEFORE: Final = (_shrunk, _computed)

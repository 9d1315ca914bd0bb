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
from safelight.imaging.headers.gif import Canvas
from safelight.models import MAX_WEBP_SIDE, Preset

_Size = tuple[int, int]

_SHRINKS: Final = (8, 4, 2)
_PROFILE: Final = "icc-profile-data"
_MAX_SRGB_PROFILE: Final = 4096
"""The most bytes that a profile of sRGB has: three colours and their curve take no more."""
_SAMPLES: Final = 17
_ORIENTATION: Final = "orientation"
_QUARTER_TURNS: Final = frozenset({5, 6, 7, 8})
_TURNED: Final = ((1, 6, 3, 8), (2, 7, 4, 5))
"""EXIF's orientations: each is the one before, turned by 90 degrees clockwise; also mirrored."""
_OPAQUE: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedRendition:
    """One rendition, encoded. Sizes are pixels; `image` is what was encoded, uncropped."""

    width: int
    height: int
    data: bytes
    image: Any


def shrink_on_load(width: int, height: int, widest: int) -> int:
    """Return the factor by which to shrink a JPEG while it is decoded; sides are as displayed."""
    scale = max(width / widest, height / MAX_WEBP_SIDE)
    return next((shrink for shrink in _SHRINKS if shrink <= scale), 1)


def extend_to_canvas(image: Any, canvas: Canvas) -> Any:
    """Extend a GIF's first frame to its canvas. What it doesn't cover is transparent.

    If the canvas size is one of those that are often wrong, libvips crops the canvas to the frames.
    Otherwise it fills the rest: transparent, or black if the GIF has no transparency.
    """
    if canvas.is_covered:
        return image
    size = (canvas.canvas_width, canvas.canvas_height)
    if (image.width, image.height) != size:
        image = image.embed(0, 0, *size, extend="black")
    if image.hasalpha():
        return image
    if not canvas.width or not canvas.height:
        return image.bandjoin(0)
    frame = pyvips.Image.black(canvas.width, canvas.height) + _OPAQUE
    return image.bandjoin(frame.cast("uchar").embed(canvas.left, canvas.top, *size))


def turn(image: Any, degrees: int) -> Any:
    """Turn an image clockwise, by 0, 90, 180 or 270 degrees, as it is shown.

    Only its orientation changes: `render` turns the pixels, when few of them are left.
    """
    if not degrees:
        return image
    found = image.get(_ORIENTATION) if image.get_typeof(_ORIENTATION) else 1
    cycle = next((each for each in _TURNED if found in each), _TURNED[0])
    before = cycle.index(found) if found in cycle else 0
    turned = image.copy()
    turned.set_type(pyvips.GValue.gint_type, _ORIENTATION, cycle[(before + degrees // 90) % 4])
    return turned


def render(
    image: Any,
    presets: Sequence[Preset],
    width: int,
    height: int,
    *,
    colour: ColourDescription | None = None,
    decoded: Callable[[], None] = lambda: None,
) -> Iterator[EncodedRendition]:
    """Make the renditions, the widest first; `image` may be sequential, and is read once.

    It may have been shrunk while it was loaded, and may have any orientation and colour space, as
    loaded: that of its profile, or of `colour`, which takes precedence. `width` and `height` are
    the photo's, as displayed. `decoded` is called when every line of `image` has been read: the
    last one matters to the last pixels of the widest rendition. Raises pyvips.Error.
    """
    steps: tuple[_Step, ...] = _FIRST_STEPS
    if colour and image.interpretation != "cmyk":
        steps = (_remove_profile, _shrink_upright, partial(_convert, colour=colour), _compute)
    # As `presets.widest_first`, whose module imports the settings, which a decoder doesn't need.
    for preset in sorted(presets, key=lambda each: each.scaled_size(width, height), reverse=True):
        size = preset.scaled_size(width, height)
        for step in steps:
            image = step(image, size)
            if step is _compute and steps is not _NEXT_STEPS:
                decoded()
        steps = _NEXT_STEPS
        shown = _crop(image, preset.size_for(width, height))
        data = _encode(shown, preset)
        yield EncodedRendition(width=shown.width, height=shown.height, data=data, image=image)


def _shrink_to_srgb(image: Any, size: _Size) -> Any:
    """Shrink to the rendition's size: upright, with alpha, in eight bits of sRGB.

    libvips rotates last, when few pixels are left, and takes an invalid profile for sRGB. An image
    in sRGB is not converted: that would take as much time as encoding it.
    """
    export = {"export_profile": "srgb"}
    if image.interpretation == "srgb" and is_srgb(image):
        image, export = _remove_profile(image, size), {}
    return image.thumbnail_image(size[0], height=size[1], size="force", **export)


def _shrink_upright(image: Any, size: _Size) -> Any:
    """Shrink to the rendition's size: upright, with alpha, in the same bits and colours.

    `thumbnail_image` would reduce 16 bits to eight, of which light and PQ need more.
    """
    if image.format != "ushort":
        return image.thumbnail_image(size[0], height=size[1], size="force")
    turned = image.get_typeof(_ORIENTATION) and image.get(_ORIENTATION) in _QUARTER_TURNS
    width, height = (size[1], size[0]) if turned else size
    scales = (width / image.width, height / image.height)
    if min(scales) < 1 and image.hasalpha():
        image = image.premultiply().resize(scales[0], vscale=scales[1])
        image = image.unpremultiply().cast("ushort")
    elif min(scales) < 1:
        image = image.resize(scales[0], vscale=scales[1])
    return image.copy_memory().autorot()


def _convert(image: Any, _size: _Size, *, colour: ColourDescription) -> Any:
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


def _shrink(image: Any, size: _Size) -> Any:
    """Shrink an image that is upright and in sRGB."""
    return image.thumbnail_image(size[0], height=size[1], size="force")


def _compute(image: Any, _size: _Size) -> Any:
    """Compute the pixels now: they are encoded, and also the source of the next rendition."""
    return image.copy_memory()


def _crop(image: Any, size: _Size) -> Any:
    """Return the middle of an image: all of it unless it is larger than the size."""
    width, height = min(size[0], image.width), min(size[1], image.height)
    if (width, height) == (image.width, image.height):
        return image
    return image.crop((image.width - width) // 2, (image.height - height) // 2, width, height)


def _remove_profile(image: Any, _size: _Size) -> Any:
    """Remove the profile: the image is in sRGB now."""
    bare = image.copy()
    bare.remove(_PROFILE)
    return bare


def _encode(image: Any, preset: Preset) -> bytes:
    """Encode the pixels only: no EXIF, XMP, IPTC, comment, thumbnail or profile."""
    if preset.content_type == "image/jpeg":
        jpeg: bytes = image.jpegsave_buffer(Q=preset.quality, optimize_coding=True, keep="none")
        return jpeg
    options = {"lossless": True} if preset.lossless else {"Q": preset.quality}
    data: bytes = image.webpsave_buffer(**options, effort=preset.effort, keep="none")
    return data


_Step = Callable[[Any, _Size], Any]
_FIRST_STEPS: Final = (_shrink_to_srgb, _compute, _remove_profile)
_NEXT_STEPS: Final = (_shrink, _compute)

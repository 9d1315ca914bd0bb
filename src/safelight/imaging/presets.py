"""The sizes in which photos are shown, and which of them an image gets."""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from operator import attrgetter
from typing import Final

from safelight.imaging.formats import FORMATS
from safelight.models import ImageFacts, Photo, Preset, Rendition
from safelight.settings import RenditionSettings

CONTENT_TYPE: Final = "image/webp"
FIRST_SCREEN_WIDTH: Final = 640
"""The widest rendition on a page of thumbnails, in pixels. Renditions up to this width are made
before an upload is answered, and the others by a job."""

LOSSLESS_PIXELS: Final = 16_384
"""Images of at most this many pixels get lossless renditions: otherwise icons and pixel art lose
their colours, and photographs of this size stay small (docs/decisions/0006-renditions.md)."""

_QUALITIES: Final = {320: 82, 1280: 81}
_LARGE_QUALITY: Final = 80
"""The qualities up to these widths, and above; measured in docs/decisions/0006-renditions.md."""

_DIGEST_BYTES: Final = 16
LATEST_RENDERER: Final = 2
"""To be raised whenever rendering makes other pixels of some images (see ImageFacts.renderer)."""


def build_presets(settings: RenditionSettings) -> tuple[Preset, ...]:
    """Return the configured presets, narrowest first."""
    return tuple(
        Preset(
            name=f"w{width}",
            width=width,
            quality=settings.quality or _default_quality(width),
            effort=settings.effort,
        )
        for width in sorted(settings.widths)
    )


def _default_quality(width: int) -> int:
    return next(
        (quality for limit, quality in _QUALITIES.items() if width <= limit), _LARGE_QUALITY
    )


def presets_for_image(presets: Sequence[Preset], facts: ImageFacts) -> tuple[Preset, ...]:
    """Return the presets for an image of this size and renderer."""
    chosen = presets_for_size(presets, facts.width, facts.height)
    return tuple(replace(preset, renderer=facts.renderer) for preset in chosen)


def presets_for_size(presets: Sequence[Preset], width: int, height: int) -> tuple[Preset, ...]:
    """Return the presets for an image of this size, in pixels as displayed.

    Those narrower than the image, and the next one, which renders it at its own width. So there is
    always one, and the last shows everything that the image has. Those of a tiny image are
    lossless.
    """
    chosen = presets[: bisect_left(presets, width, key=attrgetter("width")) + 1]
    is_tiny = width * height <= LOSSLESS_PIXELS
    return tuple(replace(preset, lossless=True) for preset in chosen) if is_tiny else tuple(chosen)


def made_at_upload(presets: Sequence[Preset]) -> tuple[Preset, ...]:
    """Return those of an image's presets that are rendered before its upload is answered."""
    count = bisect_right(presets, FIRST_SCREEN_WIDTH, key=attrgetter("width"))
    return tuple(presets[: max(count, 1)])


def missing(
    presets: Iterable[Preset], keys: Iterable[str], *, exact: bool = False
) -> tuple[Preset, ...]:
    """Return the presets of which no rendition is among these keys.

    Before renditions of tiny images were lossless, they were not; those stay valid. With `exact`,
    they are missing too.
    """
    digests = {key.rpartition("/")[2] for key in keys}
    return tuple(
        preset
        for preset in presets
        if digests.isdisjoint([digest(preset)] if exact else valid_digests(preset))
    )


def valid_digests(preset: Preset) -> tuple[str, ...]:
    """Return the digests of the renditions that are valid for a preset, the best first."""
    lossy = (digest(replace(preset, lossless=False)),) if preset.lossless else ()
    return (digest(preset), *lossy)


def is_displayable(photo: Photo) -> bool:
    """Return whether all common browsers show the original as it should be.

    For a photo that an earlier version inspected, its format decides.
    """
    format_ = FORMATS.get(photo.facts.format)
    return photo.facts.details.displayable and (format_ is None or format_.in_browsers)


def display_rendition(photo: Photo) -> Rendition | None:
    """Return the rendition to link to; None for the original, which has to be displayable.

    An original with a location is not linked to either, unless there is no rendition at all.
    """
    if is_displayable(photo) and not photo.facts.details.located:
        return None
    by_size = ((each.width * each.height, each) for each in photo.renditions)
    return max(by_size, key=lambda sized: sized[0], default=(0, None))[1]


@cache
def digest(preset: Preset) -> str:
    """Return a digest of what a preset makes of an image: 32 lower-case hex digits, for the key."""
    renderer = f"safelight {preset.renderer}"
    recipe = f"{renderer}/{CONTENT_TYPE}/{preset.width}/{preset.quality}/{preset.effort}"
    recipe += "/lossless" if preset.lossless else ""
    return hashlib.blake2b(recipe.encode(), digest_size=_DIGEST_BYTES).hexdigest()

"""The ladder of sizes that a photo is shown in, and which of its steps a picture gets."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from safelight.photo import Preset
from safelight.settings import RenditionSettings

CONTENT_TYPE: Final = "image/webp"
FIRST_SCREEN: Final = 640
"""The widest rendition that a page of thumbnails asks for, in pixels: those up to it are made
before an upload is answered, and the others right after."""

_QUALITIES: Final = {320: 82, 1280: 81}
_LARGE_QUALITY: Final = 80
"""Up to those widths, and above: by measurement, see docs/decisions/0006-renditions.md."""

_DIGEST_BYTES: Final = 16
_RECIPE: Final = "safelight 1"
"""Another one whenever `rendering` comes to make other pixels of the same preset."""


def ladder(settings: RenditionSettings) -> tuple[Preset, ...]:
    """Give the presets that are configured, the narrowest first."""
    return tuple(
        Preset(
            name=f"w{width}",
            width=width,
            quality=settings.quality or _quality(width),
            effort=settings.effort,
        )
        for width in sorted(settings.widths)
    )


def _quality(width: int) -> int:
    return next((good for most, good in _QUALITIES.items() if width <= most), _LARGE_QUALITY)


def steps(presets: Sequence[Preset], width: int) -> tuple[Preset, ...]:
    """Give those of a ladder that a picture gets, by its width in pixels as displayed.

    None is wider than the picture. One that is narrower than a step gets that step at its own
    width, and none above: so there is always one, and the last shows all that the picture has.
    """
    fitting = sum(preset.width < width for preset in presets)
    return tuple(presets[: fitting + 1])


def at_once(presets: Sequence[Preset]) -> tuple[Preset, ...]:
    """Give those steps of a picture's that are made before its upload is answered."""
    return tuple(preset for preset in presets if preset.width <= FIRST_SCREEN) or tuple(presets[:1])


def missing(presets: Iterable[Preset], keys: Iterable[str]) -> tuple[Preset, ...]:
    """Give those presets whose digest ends none of the keys of the renditions that are there."""
    there = {key.rpartition("/")[2] for key in keys}
    return tuple(preset for preset in presets if digest(preset) not in there)


def digest(preset: Preset) -> str:
    """Sum up what a preset makes of a picture, as 32 characters of lower-case hex, for its key."""
    spelled = f"{_RECIPE}/{CONTENT_TYPE}/{preset.width}/{preset.quality}/{preset.effort}"
    return hashlib.blake2b(spelled.encode(), digest_size=_DIGEST_BYTES).hexdigest()

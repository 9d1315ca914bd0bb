"""Settings for links and renditions."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from safelight.settings.presets import Presets, PresetSettings, When, check_names
from safelight.settings.validators import Group, split_list

_MAX_WIDTHS = 8
_FIRST_SCREEN = 640
"""The widest rendition on a page of thumbnails, in pixels."""
_AT_UPLOAD = 1280
"""The widest rendition that is made before anyone asks for it: before an upload is answered, since
another decode would cost more. Most photos are never opened at full size, and the larger ones are
most of the work and of the bytes."""
_WIDEST_RATIO = 64, 27
"""Of the larger ones: a wider panorama as wide as the screen would be a strip. Cinemas' ratio."""


class LinkSettings(Group):
    """Signed links."""

    lifetime: timedelta = Field(
        default=timedelta(days=7), ge=timedelta(minutes=1), le=timedelta(days=7)
    )
    """How long a link is valid, from its signing date. SigV4 allows up to seven days."""
    window: timedelta = Field(default=timedelta(days=1), ge=timedelta(seconds=1))
    """How long a photo's link stays the same, so that browsers can cache the photo."""
    cache_size: int = Field(default=20_000, ge=0)
    """Number of signed links kept in memory."""

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        if self.window >= self.lifetime:
            raise ValueError("WINDOW must be shorter than LIFETIME")
        return self


class RenditionSettings(Group):
    """Renditions of photos."""

    widths: Annotated[tuple[Annotated[int, Field(ge=16, le=16_383)], ...], NoDecode] = (
        *(320, 640, 1280, 2560),
    )
    """Widths in pixels. A photo gets those that are no wider than the photo itself: up to 1280
    at upload, and others when they are asked for."""
    presets: Annotated[Presets, NoDecode] = ()
    """More presets, or others of the same names as the widths' (w320 and so on)."""
    quality: int | None = Field(default=None, ge=1, le=100)
    """The quality. None: 82 up to 320 pixels, 81 up to 640, 82 up to 1280, and 80 above."""
    effort: int = Field(default=2, ge=0, le=6)
    """WebP encoder effort, from 0 (fast) to 6 (small files)."""

    _split_lists = field_validator("widths", mode="before")(split_list)

    @field_validator("widths")
    @classmethod
    def _check_widths(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if not 1 <= len(set(widths)) == len(widths) <= _MAX_WIDTHS:
            raise ValueError(f"give one to {_MAX_WIDTHS} different widths")
        return widths

    _check_names = field_validator("presets")(check_names)

    @model_validator(mode="after")
    def _check_unasked(self) -> Self:
        if all(preset.fit == "cover" or preset.when == "demand" for preset in self.all_presets):
            raise ValueError(
                "at least one preset must be inside, and made at upload or later: it is what a new"
                " photo is shown with"
            )
        return self

    @property
    def all_presets(self) -> tuple[PresetSettings, ...]:
        """The presets of the widths, and the others, by width."""
        others = {preset.name: preset for preset in self.presets}
        narrowest = min(self.widths)
        by_name = {f"w{width}": _preset(width, narrowest=narrowest) for width in self.widths}
        return tuple(sorted((by_name | others).values(), key=_order))


def _preset(width: int, *, narrowest: int) -> PresetSettings:
    """Return the preset of a width. The narrowest is always made at upload."""
    when: When = "upload" if width <= max(narrowest, _AT_UPLOAD) else "demand"
    across, down = _WIDEST_RATIO
    short_side = width * down // across if width > _FIRST_SCREEN else None
    return PresetSettings(name=f"w{width}", width=width, when=when, short_side=short_side)


def _order(preset: PresetSettings) -> tuple[int, int, str]:
    return preset.width, preset.height or 0, preset.name

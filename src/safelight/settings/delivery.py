"""Settings for links and renditions."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from safelight.settings.validators import Group, split_list

_MAX_WIDTHS = 8


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
    """Widths in pixels. A photo gets those that are no wider than the photo itself."""
    quality: int | None = Field(default=None, ge=1, le=100)
    """WebP quality. None: 82 up to 320 pixels, 81 up to 1280, and 80 above."""
    effort: int = Field(default=2, ge=0, le=6)
    """WebP encoder effort, from 0 (fast) to 6 (small files)."""

    _split_lists = field_validator("widths", mode="before")(split_list)

    @field_validator("widths")
    @classmethod
    def _check_widths(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if not 1 <= len(set(widths)) == len(widths) <= _MAX_WIDTHS:
            raise ValueError(f"give one to {_MAX_WIDTHS} different widths")
        return widths

"""What is handed out of a photo: links, and smaller copies."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from safelight.settings.values import Group, split

_MAX_STEPS = 8


class LinkSettings(Group):
    """The signed links that are handed out."""

    lifetime: timedelta = Field(
        default=timedelta(days=7), ge=timedelta(minutes=1), le=timedelta(days=7)
    )
    """From its signing date. SigV4 allows seven days at the most."""
    window: timedelta = Field(default=timedelta(days=1), ge=timedelta(seconds=1))
    """How long the same photo's link stays the same, so that browsers keep their copy."""
    cache_size: int = Field(default=20_000, ge=0)
    """How many signed links are kept in memory."""

    @model_validator(mode="after")
    def _a_link_outlives_its_window(self) -> Self:
        if self.window >= self.lifetime:
            raise ValueError("WINDOW must be shorter than LIFETIME")
        return self


class RenditionSettings(Group):
    """The smaller copies of a photo."""

    widths: Annotated[tuple[Annotated[int, Field(ge=16, le=16_383)], ...], NoDecode] = (
        *(320, 640, 1280, 2560),
    )
    """Their widths in pixels; each photo gets those that are no wider than itself."""
    quality: int | None = Field(default=None, ge=1, le=100)
    """Of WebP, 1 to 100. None: 82 up to 320 pixels, 81 up to 1280, and 80 above."""
    effort: int = Field(default=2, ge=0, le=6)
    """What WebP's encoder takes on for a smaller file, 0 (quick) to 6."""

    _lists = field_validator("widths", mode="before")(split)

    @field_validator("widths")
    @classmethod
    def _widths_are_a_ladder(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if not 1 <= len(set(widths)) == len(widths) <= _MAX_STEPS:
            raise ValueError(f"give one to {_MAX_STEPS} different widths")
        return widths

"""Presets of renditions, and how they are written in a variable."""

import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from safelight.settings.validators import Group, split_list

MAX_SIDE: Final = 16_383
"""The longest side of a WebP, in pixels."""
MAX_CROP: Final = 4_096
"""The longest side of a crop. Larger ones could need more memory than a decoder has."""

Fit = Literal["inside", "cover"]
When = Literal["upload", "later", "demand"]
Format = Literal["webp"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SIZE: Final = re.compile(r"([0-9]{1,9})(?:x([0-9]{1,9}))?")
_SHORT_SIDE: Final = re.compile(r"min=([0-9]{1,9})")
_WORDS: Final = {
    **dict.fromkeys(get_args(Fit), "fit"),
    **dict.fromkeys(get_args(When), "when"),
    **dict.fromkeys(get_args(Format), "format"),
}
_EXAMPLE: Final = "avatar 96x96 cover demand"
_RESERVED: Final = frozenset({"original"})


class PresetSettings(Group):
    """One size of renditions: a name, a box in pixels, how to fit it, a format, and when.

    `inside` makes the whole photo fit into the box; without a height, any height does. `cover`
    fills the box, and crops what is left over on both sides.
    """

    name: str
    width: int
    height: int | None = None
    short_side: int | None = None
    """Pixels that the short side gets at least, where the photo has as many: for panoramas."""
    fit: Fit = "inside"
    format: Format = "webp"
    when: When = "demand"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} can't be the name of a preset: use up to 40 small letters, digits,"
                " - and _"
            )
        if self.name in _RESERVED:
            raise ValueError(f"{self.name!r} can't be the name of a preset: it means the upload")
        limit = MAX_SIDE if self.fit == "inside" else MAX_CROP
        for side in (self.width, self.height, self.short_side):
            if side is not None and not 1 <= side <= limit:
                raise ValueError(
                    f"{self.name}: a side must have 1 to {limit} pixels, and not {side}"
                )
        if self.fit == "cover" and self.height is None:
            raise ValueError(f"{self.name}: cover needs a width and a height, like 96x96")
        if self.short_side and (self.fit == "cover" or self.height):
            raise ValueError(f"{self.name}: min= is for presets with a width only")
        return self


def parse_presets(value: object) -> object:
    """Parse a list of presets, separated by commas; return any other value unchanged."""
    items = split_list(value)
    if not isinstance(items, (list, tuple)):
        return value
    return tuple(_parse(item) if isinstance(item, str) else item for item in items)


def _parse(text: str) -> PresetSettings:
    """Parse one preset, like ``avatar 96x96 cover upload``. Raises ValueError."""
    name, *words = text.split()
    size = _SIZE.fullmatch(words[0]) if words else None
    if size is None:
        raise ValueError(f"{text!r} is not a preset: write a name and a size, like {_EXAMPLE!r}")
    options = dict(_parse_options(name, words[1:]))
    width, height = int(size[1]), None if size[2] is None else int(size[2])
    # As a plain dictionary: pydantic checks the types, and the model the rest.
    return PresetSettings.model_validate(
        {"name": name, "width": width, "height": height, **options}
    )


def _parse_options(name: str, words: list[str]) -> Iterator[tuple[str, str | int]]:
    seen = set[str]()
    for word in words:
        short = _SHORT_SIDE.fullmatch(word)
        option = "short_side" if short else _WORDS.get(word)
        if option is None:
            raise ValueError(
                f"{name}: {word!r} is not known. After the size there may be inside or cover,"
                " upload, later or demand, webp, and min=PIXELS"
            )
        if option in seen:
            raise ValueError(f"{name}: {word!r} is a second {option.replace('_', ' ')}")
        seen.add(option)
        yield option, int(short[1]) if short else word


def check_names(presets: tuple[PresetSettings, ...]) -> tuple[PresetSettings, ...]:
    """Check that no two presets have the same name."""
    names = [preset.name for preset in presets]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two presets have the name {twice[0]}")
    return presets


Presets = Annotated[
    tuple[PresetSettings, ...], Field(max_length=16), BeforeValidator(parse_presets)
]

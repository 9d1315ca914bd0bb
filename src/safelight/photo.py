"""The values that pass between the layers: plain, frozen, without I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Status(StrEnum):
    """Where a row stands in the life of a photo."""

    PENDING = "pending"
    """Its key is reserved and bytes may be on their way; nobody sees it."""
    READY = "ready"
    """Acknowledged: the original is stored and the row is committed."""
    DELETED = "deleted"
    """A tombstone: nobody sees it, and it names the prefix that has to be emptied."""


class Order(StrEnum):
    """How a list of photos is sorted; both newest first."""

    ADDED = "added"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What else a picture tells. Texts are its own words, 100 characters at the most.

    `duration` is of an animation, `profile` the name of its colour profile; `located` tells
    whether it says where it was taken, and `colour` is its main colour, six digits of hex.
    """

    duration: timedelta | None = None
    alpha: bool = False
    profile: str | None = None
    camera_make: str | None = None
    camera_model: str | None = None
    located: bool = False
    colour: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What a picture's own bytes tell of it, found by decoding it to its last line.

    `width` and `height` are pixels as displayed, the orientation applied. `taken_at` is the EXIF
    DateTimeOriginal as the camera's clock showed it, without a time zone; `taken_offset` is the
    camera's distance from UTC when the picture tells it.
    """

    format: str
    content_type: str
    width: int
    height: int
    frames: int = 1
    taken_at: datetime | None = None
    taken_offset: timedelta | None = None
    details: Details = Details()

    @property
    def animated(self) -> bool:
        """Whether it has more than one frame."""
        return self.frames > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """What people say of a photo. `filename` is a label: never part of a key or a path."""

    title: str = ""
    description: str = ""
    filename: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """How a rendition is made: no wider than `width` pixels, as WebP.

    `quality` is 1 to 100, `effort` 0 (quick) to 6 (small).
    """

    name: str
    width: int
    quality: int
    effort: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """A smaller copy of a photo, made by us. Sizes in pixels."""

    name: str
    key: str
    width: int
    height: int
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A photo that was acknowledged. `size` is bytes, `sha256` lower-case hex of the original.

    `name` is the random part of its keys. `version` grows with every change of the row, so
    (`id`, `version`) names one state of it.
    """

    id: int
    version: int
    owner: str
    name: str
    title: str
    description: str
    filename: str
    size: int
    sha256: str
    facts: ImageFacts
    created_at: datetime
    renditions: tuple[Rendition, ...] = ()
    thumbhash: bytes | None = None

"""The values that pass between the layers: immutable, without I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Final

MAX_WEBP_SIDE: Final = 16_383
"""The longest side of a WebP, in pixels (RFC 9649, 2.6)."""


class Status(StrEnum):
    """The state of a photo's row."""

    PENDING = "pending"
    """Its keys are reserved, and its objects are being written. Clients can't see it."""
    READY = "ready"
    """A photo: the original is stored and the upload was acknowledged."""
    DELETED = "deleted"
    """A tombstone: its objects are to be deleted. Clients can't see it."""


class Order(StrEnum):
    """The order of a list of photos, newest first: by time added, or by capture time."""

    ADDED = "added"
    TAKEN = "taken"


class DateSource(StrEnum):
    """Where a photo's capture time comes from."""

    EXIF = "exif"
    XMP = "xmp"
    FILENAME = "filename"
    FILE = "file"
    """The time when the file was modified, as the client sent it."""
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureDate:
    """When a photo was taken: the camera's local time, without a time zone.

    `offset` is that of the camera's clock from UTC, if it is known.
    """

    at: datetime
    offset: timedelta | None = None
    source: DateSource


class OwnDate(Enum):
    """In place of a capture time: what the picture says."""

    OWN_DATE = "own"


OWN_DATE: Final = OwnDate.OWN_DATE
"""Restores the capture time of which the picture itself gives evidence, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """The ids of the photos that a call has changed, and those that the owner doesn't have."""

    done: tuple[int, ...]
    missing: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """More facts about an image. Texts come from the file, at most 100 characters of each.

    `duration` is that of an animation, `profile` the name of the colour profile, or of the colours
    that the file describes in another way. `colour` is the dominant colour as six hex digits.
    `located` is whether the file contains a location, `displayable` whether browsers
    show it as it should be, provided that they show its format.
    """

    duration: timedelta | None = None
    alpha: bool = False
    profile: str | None = None
    camera_make: str | None = None
    camera_model: str | None = None
    located: bool = False
    displayable: bool = True
    colour: str | None = None


INSPECTION: Final = 1
"""The version of the inspection. Raise it when it finds other facts: photos that were stored before
can be inspected again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """Facts about an image, from decoding all of it.

    `width` and `height` are pixels as displayed, with the orientation applied, and then the `turn`
    that the owner has set, in degrees clockwise. `dates` are those that the file contains, best
    first. From them, or from elsewhere, the library sets `taken_at`, the time on the camera's clock
    without a time zone, `taken_offset`, that clock's offset from UTC if it is known, and
    `taken_from`, the source of both. `renderer` is the version of rendering that first got the
    image's pixels right: 1 for most.
    """

    format: str
    content_type: str
    width: int
    height: int
    frames: int = 1
    turn: int = 0
    taken_at: datetime | None = None
    taken_offset: timedelta | None = None
    taken_from: DateSource | None = None
    dates: tuple[CaptureDate, ...] = ()
    renderer: int = 1
    details: Details = Details()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """A photo's texts. `filename` is only a label, never part of a key or a path."""

    title: str = ""
    description: str = ""
    filename: str = ""


class Fit(StrEnum):
    """How a rendition fits into its box."""

    INSIDE = "inside"
    """All of the photo, as large as the box allows."""
    COVER = "cover"
    """The middle of the photo, which fills the box."""


class When(StrEnum):
    """When a rendition is made."""

    UPLOAD = "upload"
    """Before the upload is answered."""
    LATER = "later"
    """By a job, soon after that."""
    DEMAND = "demand"
    """When it is first asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """How a rendition is made: in a box of at most `width` by `height` pixels.

    Without a height, any will do. The short side has at least `short_side` pixels if it is given,
    even if the width exceeds the box then. No rendition is larger than the photo.
    `quality` is 1 to 100, `effort` 0 (fast) to 6 (small files). With `lossless`, the quality is
    not used. `renderer` and `turn` are those of the image's facts.
    """

    name: str
    width: int
    content_type: str = "image/webp"
    quality: int
    effort: int
    height: int | None = None
    short_side: int | None = None
    fit: Fit = Fit.INSIDE
    when: When = When.UPLOAD
    lossless: bool = False
    renderer: int = 1
    turn: int = 0

    def scaled_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the size to which an image of this size is shrunk, before any of it is cropped.

        Both sides are pixels, rounded from the size of the image itself, and at least 1. No side is
        longer than that of a WebP can be.
        """
        part, whole = min(self.width, width), width
        if self.height is not None:
            across, down = self.width * height, self.height * width
            if across < down if self.fit == Fit.COVER else down < across:
                part, whole = min(self.height, height), height
        shortest, longest = sorted((width, height))
        if self.short_side and min(self.short_side, shortest) * whole > part * shortest:
            part, whole = min(self.short_side, shortest), shortest
        if longest * part > MAX_WEBP_SIDE * whole:
            part, whole = MAX_WEBP_SIDE, longest
        return _scale(width, part, whole), _scale(height, part, whole)

    def size_for(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of the rendition of an image of this size, in pixels.

        A crop of a smaller image than the box has the box's proportions.
        """
        across, down = self.scaled_size(width, height)
        if self.fit != Fit.COVER or self.height is None:
            return across, down
        return (
            min(self.width, across, _scale(down, self.width, self.height)),
            min(self.height, down, _scale(across, self.height, self.width)),
        )

    def shows_all(self, width: int, height: int) -> bool:
        """Whether the rendition shows all that an image of this size has, as far as WebP can."""
        return (
            self.fit == Fit.INSIDE
            and self.width >= width
            and (self.height is None or self.height >= height)
        )


def _scale(side: int, part: int, whole: int) -> int:
    return max((2 * side * part + whole) // (2 * whole), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """A smaller copy of a photo, made by Safelight; `width` and `height` in pixels."""

    name: str
    key: str
    width: int
    height: int
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A photo. `size` (bytes) and `sha256` (lower-case hex) are those of the original.

    `storage_id` is the random part of its keys. `version` grows with every change of the row, so
    (`id`, `version`) identifies one state. `inspection` is the version of the inspection that found
    its facts; 0 is that of version 0.1. `trashed_at` is set while it is in the trash, and
    `revoked_at` while links may still work that were given out before then and have been revoked.
    """

    id: int
    version: int
    owner: str
    storage_id: str
    title: str
    description: str
    filename: str
    size: int
    sha256: str
    facts: ImageFacts
    created_at: datetime
    renditions: tuple[Rendition, ...] = ()
    thumbhash: bytes | None = None
    inspection: int = INSPECTION
    trashed_at: datetime | None = None
    revoked_at: datetime | None = None


class UploadStatus(StrEnum):
    """The state of a direct upload."""

    OPEN = "open"
    """The client may send bytes, with the signatures it has."""
    COMPLETED = "completed"
    """It became a photo, or was a duplicate of one."""
    ABORTED = "aborted"
    """The client aborted it, it expired, or its bytes were refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A reserved upload of `size` bytes of a declared type, with the SHA-256 if it was declared.

    `upload_id` is random; clients see it, and the object's key contains it (`keys.incoming`).
    `modified_at` is when the client's file was modified, with the client's offset from UTC.
    `part_size` is None for an upload in one request. No signature for it is valid after
    `expires_at`. `photo_id` is the photo that it became.
    """

    upload_id: str
    owner: str
    status: UploadStatus
    caption: Caption
    content_type: str
    size: int
    sha256: str | None
    part_size: int | None
    created_at: datetime
    expires_at: datetime
    photo_id: int | None = None
    modified_at: datetime | None = None

    @property
    def parts(self) -> int:
        """The number of parts; 0 for an upload in one request."""
        return -(-self.size // self.part_size) if self.part_size else 0

    def part_length(self, number: int) -> int:
        """Return the size of a part in bytes; the first is 1. Raises ValueError for others."""
        if self.part_size is None or not 1 <= number <= self.parts:
            raise ValueError(f"the upload has {self.parts} parts; there is no part {number}")
        return min(self.part_size, self.size - (number - 1) * self.part_size)

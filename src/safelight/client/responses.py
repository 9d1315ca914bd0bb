"""The fields of the API's responses that the client depends on."""

from typing import Any

import msgspec


class RenditionFields(msgspec.Struct):
    """A rendition."""

    name: str
    url: str


class PhotoFields(msgspec.Struct):
    """A photo."""

    id: int
    photo_url: str
    original_url: str
    renditions: list[RenditionFields]


class HashedPhotoFields(PhotoFields):
    """A photo, and the SHA-256 of its bytes."""

    sha256: str


class SessionFields(msgspec.Struct):
    """A session."""

    id: int


class TrashFields(msgspec.Struct):
    """For how many days photos stay in the trash."""

    days: int


class EmptiedFields(msgspec.Struct):
    """The number of photos that were deleted for good."""

    deleted: int


class JobFields(msgspec.Struct):
    """The oldest jobs."""

    oldest: list[dict[str, Any]]


class JobCounts(msgspec.Struct):
    """The number of jobs in each state."""

    waiting: int
    late: int
    running: int
    failed: int


class EnqueuedBatch(msgspec.Struct):
    """A batch of photos that lacked renditions."""

    photos: int
    next: int | None


class PruneCounts(msgspec.Struct):
    """What a batch of photos lost, or would lose."""

    photos: int
    renditions: int
    skipped: int
    next: int | None


class AlbumFields(msgspec.Struct):
    """The fields of an album that the commands use."""

    id: int
    title: str
    photos: int


class BulkOutcome(msgspec.Struct):
    """The ids of the photos that a request has changed, and those that don't exist."""

    done: list[int]
    missing: list[int]


class CreatedDownload(msgspec.Struct):
    """An archive that can be downloaded. `size` is in bytes."""

    url: str
    filename: str
    size: int
    photos: int
    missing: list[int]

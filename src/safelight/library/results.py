"""What the calls of a library return."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from safelight.models import BulkResult, Photo, Upload
from safelight.signing.uploads import PresignedRequest

MAX_ASKED: Final = 500
"""How many digests `DirectUploads.existing` looks up at once."""

Operation = Literal["create", "part", "list", "complete", "abort"]
"""A step of a multipart upload that can be signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddResult:
    """The photo of an upload; `created` is false if the owner already had the same bytes."""

    photo: Photo
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedUpload:
    """An upload that the client can now send: with `request`, or in parts if that is None."""

    upload: Upload
    request: PresignedRequest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoPage:
    """A page of photos. `next` is the cursor of the next page (`after`), None on the last one."""

    photos: tuple[Photo, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedBatch:
    """The number of photos that lost renditions, of these, and of the photos that were skipped.

    Those lack other renditions. `next` continues the scan, None at the end.
    """

    photos: int
    renditions: int
    skipped: int
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobBatch:
    """The number of photos that got a job; `next` continues the scan, None at the end."""

    photos: int
    next: int | None


def bulk_result(ids: Sequence[int], done: Collection[int]) -> BulkResult:
    """Return a result with the ids in their order, each once; those not done are missing."""
    unique, found = dict.fromkeys(ids), set(done)
    return BulkResult(
        done=tuple(id_ for id_ in unique if id_ in found),
        missing=tuple(id_ for id_ in unique if id_ not in found),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """An archive that can be downloaded until `expires_at`; `size` is in bytes.

    `missing` are the ids of the photos that the owner doesn't have.
    """

    token: str
    filename: str
    size: int
    photos: int
    missing: tuple[int, ...]
    expires_at: datetime

"""The JSON schemas of the API's requests and responses."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec

from safelight.library import MAX_DOWNLOAD, MAX_SHIFT, Operation
from safelight.library.captions import MAX_DESCRIPTION, MAX_TITLE
from safelight.library.results import MAX_ASKED
from safelight.models import DateSource, Fit, When

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


_TIME = {"format": "date-time"}
_MAX_SECONDS = MAX_SHIFT // timedelta(seconds=1)
_Shift = Annotated[int, msgspec.Meta(ge=-_MAX_SECONDS, le=_MAX_SECONDS)]


class RenditionView(msgspec.Struct):
    """A smaller copy of a photo. Sizes are in pixels."""

    name: str
    width: int
    height: int
    content_type: str
    url: str


class PresetView(msgspec.Struct):
    """A size of renditions. The box is in pixels; without a height, any will do.

    The short side has at least `short_side` pixels, if the photo has as many.

    `inside` makes the whole photo fit into the box, `cover` fills it and crops the rest. No
    rendition has more pixels than the photo. Those with `when` ``demand`` are made when they are
    first requested, and are not listed in pages of photos.
    """

    name: str
    width: int
    height: int | None
    short_side: int | None
    fit: Fit
    content_type: str
    when: When


class PhotoView(msgspec.Struct):
    """A photo. Sizes are in bytes and pixels; URLs are valid until expires_at.

    `photo_url` is the image to show: the original if it is `displayable` and not `located`, else
    the largest rendition made unasked, which may not be made yet. `renditions` are those that are
    made; in pages of photos, without those made on demand. `displayable` is true if all common
    browsers show the original as it should be, and the photo isn't turned; `located` is true if the
    original contains the location where it was taken.
    `turn` is how far the owner has turned the photo for display, in degrees clockwise; `width` and
    `height` are after that, and the original stays as it is.
    `duration` is the length of an animation in seconds. `taken_at` is the camera's local time, with
    an offset from UTC if that is known, and `taken_from` is where it comes from.
    Only photos in the trash have `trashed_at`, `deletes_at`, when they will be deleted for good,
    and `revoking`: whether links from before may still work, since the store is down or full.
    """

    id: int
    photo_url: str
    original_url: str
    expires_at: _Moment
    title: str
    description: str
    filename: str
    content_type: str
    size: int
    sha256: str
    width: int
    height: int
    turn: int
    animated: bool
    duration: float | None
    camera: str | None
    located: bool
    displayable: bool
    taken_at: str | None
    taken_from: DateSource | None
    created_at: _Moment
    thumbhash: str | None
    renditions: list[RenditionView]
    trashed_at: _Moment | msgspec.UnsetType = msgspec.UNSET
    deletes_at: _Moment | msgspec.UnsetType = msgspec.UNSET
    revoking: bool | msgspec.UnsetType = msgspec.UNSET


class MonthView(msgspec.Struct):
    """A month (like ``2024-05``) that has photos. Pass `after` to list photos from it on.

    With ``order=taken`` it is by the camera's local time, with ``order=added`` in UTC.
    """

    month: str
    count: int
    after: str


class PermitView(msgspec.Struct):
    """A signed request to the bucket, valid until expires_at. Send it with these headers."""

    method: str
    url: str
    headers: dict[str, str]
    expires_at: _Moment


class PutView(msgspec.Struct):
    """An upload in one request. Start it before expires_at."""

    id: str
    method: str
    url: str
    headers: dict[str, str]
    expires_at: _Moment


class PartsView(msgspec.Struct):
    """A multipart upload: each part but the last has part_size bytes, all due by expires_at."""

    id: str
    part_size: int
    parts: int
    expires_at: _Moment


class UploadRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /uploads: the photo that the client will send."""

    filename: Annotated[str, msgspec.Meta(max_length=16_384)]
    content_type: Annotated[str, msgspec.Meta(max_length=255)]
    size: Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1})]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | None = None
    title: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_TITLE})] = ""
    description: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_DESCRIPTION})] = ""
    multipart: bool = False
    modified_at: Annotated[str, msgspec.Meta(extra_json_schema=_TIME)] | None = None


class ExistingRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /uploads/existing: the SHA-256 digests to look for."""

    sha256: Annotated[
        list[Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]],
        msgspec.Meta(min_length=1, max_length=MAX_ASKED),
    ]


class PhotoChanges(msgspec.Struct, forbid_unknown_fields=True):
    """The body of PATCH /photos/{id}: the fields to change.

    `taken_at` is a local time, with an offset from UTC or without; null restores what the picture
    says. `turn` is how far the photo is turned for display, in degrees clockwise from the original.
    """

    title: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_TITLE})] | None = None
    description: (
        Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_DESCRIPTION})] | None
    ) = None
    taken_at: str | msgspec.UnsetType | None = msgspec.UNSET
    turn: Literal[0, 90, 180, 270] | msgspec.UnsetType = msgspec.UNSET


class BulkChanges(msgspec.Struct, forbid_unknown_fields=True):
    """The body of PATCH /photos: a capture time for all, the seconds to add to each, or a rotation.

    `taken_at` is as for one photo. `rotate` turns each photo clockwise, from where it is now.
    """

    taken_at: str | msgspec.UnsetType | None = msgspec.UNSET
    shift_seconds: _Shift | msgspec.UnsetType = msgspec.UNSET
    rotate: Literal[90, 180, 270] | msgspec.UnsetType = msgspec.UNSET


class BulkResultView(msgspec.Struct):
    """The ids of the photos that were changed, and those that don't exist."""

    done: list[int]
    missing: list[int]


class DownloadRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /downloads: the ids of up to 10,000 photos, in the archive's order."""

    ids: Annotated[
        list[Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]],
        msgspec.Meta(min_length=1, max_length=MAX_DOWNLOAD),
    ]


class DownloadView(msgspec.Struct):
    """A ZIP archive that can be downloaded from `url` until `expires_at`. `size` is in bytes.

    `photos` is the number of photos in it, and `missing` has the ids of those that don't exist.
    """

    url: str
    filename: str
    size: int
    photos: int
    missing: list[int]
    expires_at: _Moment


class SignRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /uploads/{id}/sign: a step of a multipart upload."""

    operation: Operation
    part_number: Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1})] | None = None
    upload_id: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] | None = None


class JobView(msgspec.Struct):
    """An unfinished job. `at` is the time of its latest event."""

    id: int
    task: str
    state: str
    due_at: _Moment | None
    attempts: int
    at: _Moment


class JobsView(msgspec.Struct):
    """The number of jobs in each state, and the oldest 500 jobs."""

    waiting: int
    late: int
    running: int
    failed: int
    oldest: list[JobView]


class JobBatchView(msgspec.Struct):
    """The number of photos in a batch that lacked renditions, and where the next batch starts."""

    photos: int
    next: int | None


class PrunedBatchView(msgspec.Struct):
    """What a batch of photos lost, or would lose, and where the next batch starts.

    Photos that lack other renditions are `skipped`.
    """

    photos: int
    renditions: int
    skipped: int
    next: int | None

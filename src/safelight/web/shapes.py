"""The shapes of what the API takes and gives, as JSON has them."""

from datetime import datetime
from typing import Annotated

import msgspec

from safelight.library import Operation
from safelight.library.captions import MAX_DESCRIPTION, MAX_TITLE

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class RenditionView(msgspec.Struct):
    """A smaller copy of a photo. Sizes are pixels."""

    name: str
    width: int
    height: int
    content_type: str
    url: str


class PhotoView(msgspec.Struct):
    """A photo, as clients see it. Sizes are bytes and pixels; URLs are good until expires_at.

    `duration` is an animation's, in seconds; `located` tells whether the original says where it
    was taken.
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
    animated: bool
    duration: float | None
    camera: str | None
    located: bool
    taken_at: str | None
    created_at: _Moment
    thumbhash: str | None
    renditions: list[RenditionView]


class MonthView(msgspec.Struct):
    """A month of UTC, as ``2024-05``, that has photos; a page after `after` begins with it."""

    month: str
    count: int
    after: str


class PermitView(msgspec.Struct):
    """A request that may be made of the store until expires_at, with these headers among others."""

    method: str
    url: str
    headers: dict[str, str]
    expires_at: _Moment


class PutView(msgspec.Struct):
    """An upload that goes in one request: this one, begun by expires_at."""

    id: str
    method: str
    url: str
    headers: dict[str, str]
    expires_at: _Moment


class PartsView(msgspec.Struct):
    """An upload in parts: so many, each of part_size bytes but the last, all by expires_at."""

    id: str
    part_size: int
    parts: int
    expires_at: _Moment


class UploadRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What POST /uploads takes: what the client is about to send."""

    filename: Annotated[str, msgspec.Meta(max_length=16_384)]
    content_type: Annotated[str, msgspec.Meta(max_length=255)]
    size: Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1})]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | None = None
    title: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_TITLE})] = ""
    description: Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_DESCRIPTION})] = ""
    multipart: bool = False


class SignRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What POST /uploads/{id}/sign takes: a step of an upload in parts."""

    operation: Operation
    part_number: Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1})] | None = None
    upload_id: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] | None = None


class SessionView(msgspec.Struct):
    """A browser that is signed in; `current` if it is the one that asks."""

    id: int
    created_at: _Moment
    seen_at: _Moment
    address: str
    browser: str
    current: bool


class JobView(msgspec.Struct):
    """A job that isn't done; `at` is when something happened to it last."""

    id: int
    task: str
    state: str
    due_at: _Moment | None
    attempts: int
    at: _Moment


class JobsView(msgspec.Struct):
    """How many jobs there are in each state, and the oldest 500 of them."""

    waiting: int
    late: int
    running: int
    failed: int
    oldest: list[JobView]


class UndevelopedView(msgspec.Struct):
    """How many photos of a batch lacked renditions, and where the next batch begins."""

    photos: int
    next: int | None

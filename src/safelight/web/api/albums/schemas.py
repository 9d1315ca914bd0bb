"""The JSON schemas of albums."""

from datetime import datetime
from typing import Annotated

import msgspec

from safelight.library.captions import MAX_DESCRIPTION, MAX_TITLE
from safelight.web.api.schemas import PhotoView

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Title = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_TITLE})]
_Description = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_DESCRIPTION})]


class AlbumView(msgspec.Struct):
    """An album. `photos` is their number; list them with ``GET /photos?album=``.

    The cover is a photo of the album, null if it has none.
    """

    id: int
    title: str
    description: str
    photos: int
    cover: PhotoView | None
    created_at: _Moment


class NewAlbum(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /albums. `ids` are up to 500 photos, in the album's order."""

    title: _Title
    description: _Description = ""
    ids: list[int] = []


class AlbumChanges(msgspec.Struct, forbid_unknown_fields=True):
    """The body of PATCH /albums/{id}: the fields to change. The cover is a photo's id."""

    title: _Title | None = None
    description: _Description | None = None
    cover: int | None = None


class AlbumPhotos(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /albums/{id}/photos: the ids of 1 to 500 photos."""

    ids: list[int]


class AlbumMove(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /albums/{id}/order: 1 to 500 photos, and the one that is to follow them.

    Without `before`, they are moved to the end.
    """

    ids: list[int]
    before: int | None = None

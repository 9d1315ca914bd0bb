"""Pages of photos with their URLs in parts, which take less than half of the bytes.

Most of the bytes of a page are its URLs. A signature, a storage id and the time of signing are
different for each photo; the rest is the same for nearly all of them. So a page has it once for
each group of photos.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, NamedTuple

import msgspec

from safelight.library import PhotoLinks
from safelight.models import DateSource, Photo
from safelight.web.api.schemas import PhotoView

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class LinkForm(StrEnum):
    """How a page of photos contains their URLs."""

    FULL = "full"
    PARTS = "parts"


class RenditionGroupView(msgspec.Struct):
    """What the renditions of one preset have in common."""

    name: str
    content_type: str
    path: str


class PhotoGroupView(msgspec.Struct):
    """What photos of a page have in common.

    A URL is the group's `base`, the photo's `folder`, a path (`original`, or that of a rendition),
    `before`, the photo's `date`, `after` and a signature, joined.
    """

    base: str
    before: str
    after: str
    original: str
    renditions: list[RenditionGroupView]


class RenditionPartsView(msgspec.Struct):
    """A rendition; its group has one at the same index."""

    width: int
    height: int
    signature: str


class PhotoPartsView(msgspec.Struct):
    """A photo: the fields of a PhotoView, with its URLs in parts.

    `group` is the index of its group in the page, `original` the signature of its original. `shown`
    names the image to show, `original` or a rendition: its URL is the `photo_url` of a PhotoView.
    One that is not in `renditions` is made by a request for it.
    """

    group: int
    id: int
    folder: str
    date: str
    shown: str
    original: str
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
    renditions: list[RenditionPartsView]
    trashed_at: _Moment | msgspec.UnsetType = msgspec.UNSET
    deletes_at: _Moment | msgspec.UnsetType = msgspec.UNSET
    revoking: bool | msgspec.UnsetType = msgspec.UNSET


class PartsPageView(msgspec.Struct):
    """A page of photos with ``links=parts``."""

    groups: list[PhotoGroupView]
    photos: list[PhotoPartsView]


_FIRST_GROUP = b'{"group":0,'


class SerializedParts(NamedTuple):
    """The JSON of a photo's group, and of the photo without the index of its group."""

    group: bytes
    photo: bytes


def serialize_parts(photo: Photo, links: PhotoLinks, view: PhotoView) -> SerializedParts:
    """Serialize a photo with its URLs in parts; `view` is its schema with `links` in full."""
    parts = links.original.parts
    renditions = tuple(
        (rendition.name, rendition.content_type, rendition.key.rpartition("/")[2])
        for rendition in photo.renditions
    )
    encoded = msgspec.json.encode(
        PhotoPartsView(
            group=0,
            id=view.id,
            folder=parts.folder,
            date=parts.date,
            shown=links.shown,
            original=parts.signature,
            expires_at=view.expires_at,
            title=view.title,
            description=view.description,
            filename=view.filename,
            content_type=view.content_type,
            size=view.size,
            sha256=view.sha256,
            width=view.width,
            height=view.height,
            turn=view.turn,
            animated=view.animated,
            duration=view.duration,
            camera=view.camera,
            located=view.located,
            displayable=view.displayable,
            taken_at=view.taken_at,
            taken_from=view.taken_from,
            created_at=view.created_at,
            thumbhash=view.thumbhash,
            renditions=[
                RenditionPartsView(rendition.width, rendition.height, link.signature)
                for rendition, link in zip(photo.renditions, links.renditions, strict=True)
            ],
            trashed_at=view.trashed_at,
            deletes_at=view.deletes_at,
            revoking=view.revoking,
        )
    )
    group = _encode_group(parts.base, parts.before, parts.after, parts.path, renditions)
    return SerializedParts(group, encoded.removeprefix(_FIRST_GROUP))


@lru_cache(maxsize=256)
def _encode_group(
    base: str, before: str, after: str, original: str, renditions: tuple[tuple[str, str, str], ...]
) -> bytes:
    each = [RenditionGroupView(*rendition) for rendition in renditions]
    return msgspec.json.encode(PhotoGroupView(base, before, after, original, each))


def join_parts(photos: Sequence[SerializedParts]) -> bytes:
    """Return the JSON of a page."""
    indexes: dict[bytes, int] = {}
    bodies = [
        b'{"group":%d,%b' % (indexes.setdefault(group, len(indexes)), photo)
        for group, photo in photos
    ]
    return b'{"groups":[%b],"photos":[%b]}' % (b",".join(indexes), b",".join(bodies))

"""Serialize photos as JSON, and cache the JSON of each version and link window.

Pages are requested far more often than photos change. So the catalog only returns the ids and
versions of a page, and the page is joined from cached JSON.
"""

import base64
import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from hashlib import blake2b
from typing import Any

import msgspec
from cachetools import LRUCache
from fastapi import Request, Response

from safelight.catalog import Month, Page
from safelight.imaging.presets import is_displayable, without_demanded
from safelight.library import Library, PhotoLinks
from safelight.models import Details, ImageFacts, Photo
from safelight.web.api.photo_parts import (
    LinkForm,
    SerializedParts,
    join_parts,
    serialize_parts,
)
from safelight.web.api.routing import PRIVATE
from safelight.web.api.schemas import MonthView, PhotoView, RenditionView
from safelight.web.hosts import link_endpoint


@dataclass(frozen=True, slots=True)
class _SerializedPhoto:
    version: int
    stale_at: datetime
    json: bytes | SerializedParts


@dataclass(frozen=True)
class SerializedPage:
    """A page as JSON, with an ETag that changes with it.

    It is valid until `stale_at`, or until one of its photos changes.
    """

    json: bytes
    etag: str
    stale_at: datetime

    @cached_property
    def gzipped(self) -> bytes:
        """The compressed JSON. Compression takes far longer than the rest of a response."""
        return gzip.compress(self.json, compresslevel=5, mtime=0)


_PageKey = tuple[str | None, LinkForm, tuple[tuple[int, int], ...]]
_PhotoKey = tuple[str | None, LinkForm, int]
_PAGES_BYTES = 16 * 1024 * 1024


def _cost(page: SerializedPage) -> int:
    """Estimate the memory of a cached page, with its compressed form and its key."""
    return 2_000 + len(page.json) * 5 // 4


class PhotoSerializer:
    """Serializes a library's photos. Caches the last `capacity` photos, and some pages."""

    def __init__(self, library: Library, *, capacity: int = 5_000) -> None:
        self._library = library
        self._photos: LRUCache[_PhotoKey, _SerializedPhoto] = LRUCache(capacity)
        self._pages: LRUCache[_PageKey, SerializedPage] = LRUCache(_PAGES_BYTES, getsizeof=_cost)

    async def page(
        self,
        owner: str,
        page: Page,
        *,
        endpoint: str | None,
        now: datetime,
        form: LinkForm = LinkForm.FULL,
        trashed: bool = False,
    ) -> SerializedPage:
        """Serialize a page of an owner's photos, without those deleted in the meantime.

        With `trashed`, it is one of photos in the trash.
        """
        key = (endpoint, form, page.photos)
        metrics = self._library.metrics
        cached = self._pages.get(key)
        if cached is not None and now < cached.stale_at:
            metrics.hits["pages"] += 1
            return cached
        metrics.misses["pages"] += 1
        rendered = await self._load(owner, page, endpoint, form, now, trashed=trashed)
        view = _join_page(rendered, form, now)
        if len(rendered) == len(page.photos):
            self._pages[key] = view
        return view

    async def _load(
        self,
        owner: str,
        page: Page,
        endpoint: str | None,
        form: LinkForm,
        now: datetime,
        *,
        trashed: bool,
    ) -> list[_SerializedPhoto]:
        # Hold references: concurrent requests may evict them from the cache.
        shown = {
            id_: cached
            for id_, version in page.photos
            if (cached := self._find_cached((endpoint, form, id_), version, now))
        }
        missing = [id_ for id_, _ in page.photos if id_ not in shown]
        self._library.metrics.hits["photos"] += len(shown)
        self._library.metrics.misses["photos"] += len(missing)
        if missing:
            read = self._library.trashed_photos if trashed else self._library.photos
            for photo in await read(owner, missing):
                shown[photo.id] = self._serialize_listed(photo, endpoint, form, now)
        return [shown[id_] for id_, _ in page.photos if id_ in shown]

    def respond(
        self, request: Request, photo: Photo, *, status: int = 200, **headers: str
    ) -> Response:
        """Return the response with one photo and its signed links."""
        endpoint = link_endpoint(request, self._library)
        links = self._library.photo_links(photo, endpoint=endpoint)
        return Response(
            msgspec.json.encode(make_view(photo, links)),
            status_code=status,
            media_type="application/json",
            headers={**PRIVATE, **headers},
        )

    def respond_all(self, request: Request, photos: Iterable[Photo]) -> Response:
        """Return the response with an array of photos, as in lists."""
        endpoint, now = link_endpoint(request, self._library), self._library.now()
        found: list[Any] = [
            self._serialize_listed(photo, endpoint, LinkForm.FULL, now).json for photo in photos
        ]
        body = b"[" + b",".join(found) + b"]"
        return Response(body, media_type="application/json", headers=PRIVATE)

    def _find_cached(self, key: _PhotoKey, version: int, now: datetime) -> _SerializedPhoto | None:
        cached = self._photos.get(key)
        return cached if cached and cached.version == version and now < cached.stale_at else None

    def _serialize(
        self, photo: Photo, endpoint: str | None, form: LinkForm, now: datetime
    ) -> _SerializedPhoto:
        links = self._library.photo_links(photo, endpoint=endpoint, now=now)
        view = make_view(photo, links, deletes_at=self._library.deletes_at(photo))
        json = (
            msgspec.json.encode(view)
            if form is LinkForm.FULL
            else serialize_parts(photo, links, view)
        )
        return _SerializedPhoto(photo.version, links.stable_until, json)

    def _serialize_listed(
        self, photo: Photo, endpoint: str | None, form: LinkForm, now: datetime
    ) -> _SerializedPhoto:
        """Serialize a photo for lists: without what is made on demand, so that they stay stable."""
        photo = without_demanded(photo, self._library.backends.presets)
        rendered = self._serialize(photo, endpoint, form, now)
        self._photos[endpoint, form, photo.id] = rendered
        return rendered


def make_view(photo: Photo, links: PhotoLinks, *, deletes_at: datetime | None = None) -> PhotoView:
    """Return the schema of a photo. One in the trash has the time when it will be deleted."""
    facts = photo.facts
    duration = facts.details.duration
    renditions = [
        RenditionView(
            name=rendition.name,
            width=rendition.width,
            height=rendition.height,
            content_type=rendition.content_type,
            url=link.url,
        )
        for rendition, link in zip(photo.renditions, links.renditions, strict=True)
    ]
    return PhotoView(
        id=photo.id,
        photo_url=links.display.url,
        original_url=links.original.url,
        expires_at=links.original.expires_at,
        title=photo.title,
        description=photo.description,
        filename=photo.filename,
        content_type=facts.content_type,
        size=photo.size,
        sha256=photo.sha256,
        width=facts.width,
        height=facts.height,
        turn=facts.turn,
        animated=facts.frames > 1,
        duration=None if duration is None else duration.total_seconds(),
        camera=_camera(facts.details),
        located=facts.details.located,
        displayable=is_displayable(photo),
        taken_at=_taken_at(facts),
        taken_from=facts.taken_from,
        created_at=photo.created_at,
        thumbhash=base64.b64encode(photo.thumbhash).decode() if photo.thumbhash else None,
        renditions=renditions,
        trashed_at=photo.trashed_at or msgspec.UNSET,
        deletes_at=deletes_at or msgspec.UNSET,
        revoking=photo.revoked_at is not None if photo.trashed_at else msgspec.UNSET,
    )


def month_to_view(month: Month) -> MonthView:
    """Return the schema of a month."""
    begins = month.begins
    return MonthView(f"{begins.year:04}-{begins.month:02}", month.count, str(month.after))


def _camera(details: Details) -> str | None:
    """Return the camera's name; most models already start with the maker's name."""
    make, model = details.camera_make or "", details.camera_model or ""
    maker = make.split(" ")[0]
    if maker and model.casefold().startswith(maker.casefold()):
        return model
    return f"{make} {model}".strip() or None


def etag_of(body: bytes) -> str:
    """Return an ETag that changes with the body."""
    return f'"{blake2b(body, digest_size=16, person=b"safelight page").hexdigest()}"'


def matches_etag(request: Request, etag: str) -> bool:
    """Return whether If-None-Match names the tag (RFC 9110, 13.1.2; compared weakly)."""
    header = request.headers.get("if-none-match", "")
    return header.strip() == "*" or etag in {
        tag.strip().removeprefix("W/") for tag in header.split(",")
    }


def _join_page(rendered: list[_SerializedPhoto], form: LinkForm, now: datetime) -> SerializedPage:
    photos: list[Any] = [photo.json for photo in rendered]
    body = b"[" + b",".join(photos) + b"]" if form is LinkForm.FULL else join_parts(photos)
    stale_at = min((photo.stale_at for photo in rendered), default=now)
    return SerializedPage(body, etag_of(body), stale_at)


def _taken_at(facts: ImageFacts) -> str | None:
    """Return the capture time in ISO 8601, with the offset if the photo has one."""
    if facts.taken_at is None:
        return None
    if facts.taken_offset is None:
        return facts.taken_at.isoformat()
    return facts.taken_at.replace(tzinfo=timezone(facts.taken_offset)).isoformat()

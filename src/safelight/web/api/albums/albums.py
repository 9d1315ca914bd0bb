"""The routes of ``/albums``."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from safelight import errors
from safelight.library import Library
from safelight.models import BulkResult
from safelight.web.api import openapi
from safelight.web.api.albums.schemas import (
    AlbumChanges,
    AlbumMove,
    AlbumPhotos,
    AlbumView,
    NewAlbum,
)
from safelight.web.api.photo_json import etag_of, make_view, matches_etag
from safelight.web.api.routing import PRIVATE, PathId, owner_of, parse_id, parse_ids
from safelight.web.api.schemas import BulkResultView
from safelight.web.hosts import link_endpoint
from safelight.web.http.body import read_json
from safelight.web.http.paths import public_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safelight.catalog.albums.albums import Album

_READ = (errors.Unauthenticated, errors.ForbiddenOrigin, errors.CatalogUnavailable)
_WRITE = (
    *(*_READ, errors.InvalidRequest, errors.UnsupportedType, errors.TooLarge),
    *(errors.RequestTimeout, errors.StorageFull),
)
_ONE = "/albums/{album_id}"
_BULK = openapi.response("The photos that were found, and the others", BulkResultView)


class AlbumCalls:
    """The handlers. The router's dependency has stored the owner of each request."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def register(self, router: APIRouter) -> None:
        """Add a route for each handler."""
        album = openapi.response("The album", AlbumView)
        for path, method, handler, summary, answers, body in (
            (
                *("/albums", "GET", self.list_albums, "List albums, newest first"),
                {
                    200: openapi.with_headers(
                        openapi.response("The albums", list[AlbumView]), "ETag"
                    ),
                    304: openapi.not_modified(),
                    **openapi.problems(*_READ),
                },
                None,
            ),
            (
                *("/albums", "POST", self.create, "Create an album"),
                {
                    201: openapi.with_headers(album, "Location"),
                    **openapi.problems(*_WRITE),
                },
                "NewAlbum",
            ),
            (
                *(_ONE, "GET", self.get, "Show an album"),
                {200: album, **openapi.problems(*_READ, errors.NotFound)},
                None,
            ),
            (
                *(_ONE, "PATCH", self.edit, "Change an album's title, description or cover"),
                {200: album, **openapi.problems(*_WRITE, errors.NotFound)},
                "AlbumChanges",
            ),
            (
                *(_ONE, "DELETE", self.delete, "Delete an album; its photos stay"),
                {
                    204: {"description": "It is deleted"},
                    **openapi.problems(*_READ, errors.NotFound),
                },
                None,
            ),
            (
                *(f"{_ONE}/photos", "POST", self.add, "Add up to 500 photos to an album"),
                {200: _BULK, **openapi.problems(*_WRITE, errors.NotFound)},
                "AlbumPhotos",
            ),
            (
                *(f"{_ONE}/photos", "DELETE", self.remove, "Remove up to 500 photos from an album"),
                {200: _BULK, **openapi.problems(*_WRITE, errors.NotFound)},
                None,
            ),
            (
                *(f"{_ONE}/order", "POST", self.move, "Move photos of an album"),
                {200: _BULK, **openapi.problems(*_WRITE, errors.NotFound)},
                "AlbumMove",
            ),
        ):
            router.add_api_route(
                path,
                handler,
                methods=[method],
                status_code=int(min(answers, key=int)),
                summary=summary,
                responses=answers,
                openapi_extra=openapi.json_request(body) if body else None,
                response_class=Response,
            )

    async def list_albums(self, request: Request) -> Response:
        """Return the albums, or 304 if the client already has them."""
        albums = await self._library.albums(owner_of(request))
        body = msgspec.json.encode(await self._views(request, albums))
        headers = {"ETag": etag_of(body), **PRIVATE}
        if matches_etag(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    async def create(self, request: Request) -> Response:
        """Create an album."""
        new = await read_json(request, NewAlbum, self._library.limits)
        album = await self._library.create_album(
            owner_of(request), new.title, description=new.description, ids=new.ids
        )
        location = f"{public_path(request.scope).rstrip('/')}/{album.id}"
        return await self._respond(request, album, status=201, Location=location)

    async def get(self, request: Request, album_id: PathId) -> Response:
        """Return one album."""
        id_ = parse_id(album_id, "album")
        return await self._respond(request, await self._library.album(owner_of(request), id_))

    async def edit(self, request: Request, album_id: PathId) -> Response:
        """Change an album."""
        id_ = parse_id(album_id, "album")
        changes = await read_json(request, AlbumChanges, self._library.limits)
        album = await self._library.edit_album(
            owner_of(request), id_, **{k: getattr(changes, k) for k in changes.__struct_fields__}
        )
        return await self._respond(request, album)

    async def delete(self, request: Request, album_id: PathId) -> Response:
        """Delete an album."""
        await self._library.delete_album(owner_of(request), parse_id(album_id, "album"))
        return Response(status_code=204)

    async def add(self, request: Request, album_id: PathId) -> Response:
        """Add photos."""
        id_ = parse_id(album_id, "album")
        body = await read_json(request, AlbumPhotos, self._library.limits)
        return _bulk(await self._library.add_to_album(owner_of(request), id_, body.ids))

    async def remove(
        self,
        request: Request,
        album_id: PathId,
        ids: Annotated[str, Query(description="The ids of the photos, separated by commas")],
    ) -> Response:
        """Remove photos."""
        id_ = parse_id(album_id, "album")
        numbers = parse_ids(ids)
        return _bulk(await self._library.remove_from_album(owner_of(request), id_, numbers))

    async def move(self, request: Request, album_id: PathId) -> Response:
        """Move photos."""
        id_ = parse_id(album_id, "album")
        body = await read_json(request, AlbumMove, self._library.limits)
        return _bulk(
            await self._library.move_in_album(owner_of(request), id_, body.ids, before=body.before)
        )

    async def _respond(
        self, request: Request, album: "Album", *, status: int = 200, **headers: str
    ) -> Response:
        (view,) = await self._views(request, [album])
        return Response(
            msgspec.json.encode(view),
            status_code=status,
            media_type="application/json",
            headers={**PRIVATE, **headers},
        )

    async def _views(self, request: Request, albums: "Iterable[Album]") -> list[AlbumView]:
        endpoint, now = link_endpoint(request, self._library), self._library.now()
        albums = tuple(albums)
        covers = [album.cover for album in albums if album.cover is not None]
        photos = await self._library.photos(owner_of(request), covers) if covers else []
        views: dict[int | None, Any] = {
            photo.id: make_view(photo, self._library.photo_links(photo, endpoint=endpoint, now=now))
            for photo in photos
        }
        return [
            AlbumView(
                id=album.id,
                title=album.title,
                description=album.description,
                photos=album.photos,
                cover=views.get(album.cover),
                created_at=album.created_at,
            )
            for album in albums
        ]


def _bulk(result: BulkResult) -> Response:
    view = BulkResultView(done=list(result.done), missing=list(result.missing))
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(view), media_type="application/json", headers=headers)

"""The router of ``/photos``, for Safelight's app or an embedding one."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from safelight import errors
from safelight.errors import InvalidRequest, NotFound
from safelight.library import Library
from safelight.models import Photo
from safelight.web.api import openapi
from safelight.web.api.albums.albums import AlbumCalls
from safelight.web.api.bulk import BulkCalls
from safelight.web.api.changes.changes import ChangeCalls
from safelight.web.api.deletion.trash import TrashCalls
from safelight.web.api.downloads import DownloadCalls
from safelight.web.api.listing import ListCalls
from safelight.web.api.photo_json import PhotoSerializer
from safelight.web.api.photo_links import LinkCalls
from safelight.web.api.routing import (
    EmbeddedRoute,
    Owner,
    PathId,
    origin_dependency,
    owner_dependency,
    owner_of,
    parse_id,
    parse_taken_at,
)
from safelight.web.api.schemas import PhotoChanges, PhotoView
from safelight.web.api.uploads import UploadCalls
from safelight.web.http.body import read_json, read_upload_form
from safelight.web.http.paths import public_path
from safelight.web.pages.uploader_files import add_uploader_routes

if TYPE_CHECKING:
    from safelight.web.auth.auth import Authenticator

_UNAVAILABLE = (errors.CatalogUnavailable, errors.StorageUnavailable, errors.StorageFull)
_ACCESS = (errors.Unauthenticated, errors.ForbiddenOrigin)


def photo_router(library: Library, *, owner: Owner, origins: Collection[str] = ()) -> APIRouter:
    """Make the router of ``/photos``; include it under a prefix of your choice.

    `owner` is a FastAPI dependency that returns the owner of the request's photos, an opaque
    string, and raises for a client without access. It runs before any of the body is read, unless
    it reads the body.

    A request with a cookie or a login (HTTP Basic) is refused if it comes from a page of another
    origin, unless `origins` lists that (``https://app.example``). With ``"*"``, your app has to
    protect against CSRF. Raises ValueError for anything else in `origins`.
    """
    router = APIRouter(
        tags=["photos"],
        dependencies=[Depends(origin_dependency(origins)), Depends(owner_dependency(owner))],
        route_class=EmbeddedRoute,
    )
    _Calls(library).register(router)
    return router


def service_photo_router(library: Library, authenticator: "Authenticator") -> APIRouter:
    """Make the router of ``/photos`` of Safelight's own app."""
    router = APIRouter(
        tags=["photos"],
        dependencies=[Depends(authenticator)],
    )
    _Calls(library).register(router)
    return router


class _Calls:
    """The handlers. The router's dependency has stored the owner of each request."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._serializer = PhotoSerializer(library)

    def register(self, router: APIRouter) -> None:
        """Add a route for each handler."""
        add_uploader_routes(router)
        UploadCalls(self._library, self._serializer).register(router)
        LinkCalls(self._library).register(router)
        BulkCalls(self._library).register(router)
        AlbumCalls(self._library).register(router)
        ChangeCalls(self._library).register(router)
        DownloadCalls(self._library).register(router)
        ListCalls(self._library, self._serializer).register(router)
        TrashCalls(self._library, self._serializer).register(router)
        one = "/photos/{photo_id}"
        photo = openapi.response("The photo", PhotoView)
        router.add_api_route(
            "/photos",
            self.add,
            methods=["POST"],
            status_code=201,
            summary="Add a photo",
            openapi_extra=openapi.FORM_BODY,
            responses={
                200: openapi.with_headers(
                    openapi.response(
                        "The existing photo with the same bytes, unchanged", PhotoView
                    ),
                    "Location",
                ),
                201: openapi.with_headers(openapi.response("The new photo", PhotoView), "Location"),
                **openapi.problems(*_ACCESS, *_UPLOAD, *_UNAVAILABLE),
            },
            response_class=Response,
        )
        router.add_api_route(
            one,
            self.get,
            summary="Show a photo",
            responses={
                200: photo,
                **openapi.problems(*_ACCESS, NotFound, errors.CatalogUnavailable),
            },
            response_class=Response,
        )
        router.add_api_route(
            one,
            self.edit,
            methods=["PATCH"],
            summary="Change title, description, capture time or turn",
            openapi_extra=openapi.json_request("PhotoChanges"),
            responses={
                200: photo,
                **openapi.problems(
                    *_ACCESS,
                    NotFound,
                    InvalidRequest,
                    errors.UnsupportedType,
                    errors.TooLarge,
                    errors.RequestTimeout,
                    *_UNAVAILABLE,
                ),
            },
            response_class=Response,
        )

    async def add(self, request: Request) -> Response:
        """Add the photo of a form upload."""
        owner, library = owner_of(request), self._library
        with library.metrics.count_failures(), library.backends.spool.file(owner) as upload:
            caption, modified_at = await read_upload_form(request, library.limits, upload)
            added = await library.components.ingest.receive(
                owner, upload, caption, modified_at=modified_at
            )
        location = f"{public_path(request.scope).rstrip('/')}/{added.photo.id}"
        return self._serializer.respond(
            request, added.photo, status=201 if added.created else 200, Location=location
        )

    async def get(self, request: Request, photo_id: PathId) -> Response:
        """Return one photo."""
        return self._serializer.respond(request, await self._find(request, photo_id))

    async def edit(self, request: Request, photo_id: PathId) -> Response:
        """Change the title, description, capture time or turn of a photo."""
        id_ = parse_id(photo_id)
        changes = await read_json(request, PhotoChanges, self._library.limits)
        photo = await self._library.edit(
            owner_of(request),
            id_,
            title=changes.title,
            description=changes.description,
            taken_at=parse_taken_at(changes.taken_at),
            turn=None if changes.turn is msgspec.UNSET else changes.turn,
        )
        return self._serializer.respond(request, photo)

    async def _find(self, request: Request, photo_id: str) -> Photo:
        return await self._library.photo(owner_of(request), parse_id(photo_id))


_UPLOAD = (
    errors.InvalidRequest,
    errors.RequestTimeout,
    errors.TooLarge,
    errors.UnsupportedType,
    errors.EmptyFile,
    errors.CorruptImage,
    errors.ChecksumMismatch,
    errors.TooManyPixels,
    errors.TooManyFrames,
    errors.Busy,
)

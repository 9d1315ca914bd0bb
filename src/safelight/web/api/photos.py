"""The router of ``/photos``, for Safelight's app or an embedding one."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from safelight import errors
from safelight.errors import InvalidRequest, NotFound
from safelight.library import MAX_PAGE, MAX_SKIP, Library
from safelight.models import Order, Photo
from safelight.web.api import openapi
from safelight.web.api.bulk import BulkCalls
from safelight.web.api.downloads import DownloadCalls
from safelight.web.api.photo_json import PhotoSerializer, etag_of, matches_etag, month_to_view
from safelight.web.api.photo_links import LinkCalls
from safelight.web.api.photo_parts import LinkForm, PartsPageView
from safelight.web.api.routing import (
    PRIVATE,
    EmbeddedRoute,
    Owner,
    PathId,
    ProblemRoute,
    origin_dependency,
    owner_dependency,
    owner_of,
    parse_id,
    parse_taken_at,
)
from safelight.web.api.schemas import MonthView, PhotoChanges, PhotoView
from safelight.web.api.uploads import UploadCalls
from safelight.web.hosts import link_endpoint
from safelight.web.http.body import read_json, read_upload_form
from safelight.web.http.paths import public_path
from safelight.web.pages.uploader_files import add_uploader_routes
from safelight.web.security_log import SecurityEvent, log_security_event

if TYPE_CHECKING:
    from safelight.web.auth.auth import Authenticator

_WORTH_COMPRESSING = 1024
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
        dependencies=[Depends(owner_dependency(authenticator))],
        route_class=ProblemRoute,
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
        DownloadCalls(self._library).register(router)
        one = "/photos/{photo_id}"
        photo = openapi.response("The photo", PhotoView)
        router.add_api_route(
            "/photos",
            self.list,
            summary="List photos, newest first",
            description=(
                "The URL of the next page is in the `Link` header, with `rel=next`. With"
                " `links=parts`, a page has less than half of the bytes, and the client joins the"
                " URLs. Each is `base + folder + path + before + date + after + signature`."
            ),
            responses={
                200: openapi.with_headers(
                    openapi.response(
                        "A page of photos: `PartsPageView` with `links=parts`",
                        list[PhotoView],
                        PartsPageView,
                    ),
                    "ETag",
                    "Link",
                ),
                304: openapi.not_modified(),
                **openapi.problems(*_ACCESS, errors.InvalidRequest, errors.CatalogUnavailable),
            },
            response_class=Response,
        )
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
            "/photos/months",
            self.months,
            summary="Count the photos of each month, newest first",
            description="Pass `after` to `/photos` in the same order to start at that month.",
            responses={
                200: openapi.with_headers(
                    openapi.response("The months that have photos", list[MonthView]), "ETag"
                ),
                304: openapi.not_modified(),
                **openapi.problems(*_ACCESS, errors.InvalidRequest, errors.CatalogUnavailable),
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
            summary="Change title, description or capture time",
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
        router.add_api_route(
            one,
            self.delete,
            methods=["DELETE"],
            status_code=204,
            summary="Delete a photo; its links stop working",
            responses=openapi.problems(*_ACCESS, NotFound, errors.CatalogUnavailable),
        )

    async def list(
        self,
        request: Request,
        *,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
        order: Order = Order.ADDED,
        after: Annotated[str | None, Query(description="Where the page starts; opaque")] = None,
        skip: Annotated[
            int, Query(ge=0, le=MAX_SKIP, description="Number of photos to skip from there")
        ] = 0,
        links: Annotated[
            LinkForm, Query(description="`parts`: the URLs in parts, to be joined by the client")
        ] = LinkForm.FULL,
    ) -> Response:
        """Return a page, or 304 if the client already has it."""
        owner = owner_of(request)
        page = await self._library.page(owner, order=order, after=after, limit=limit, skip=skip)
        serialized = await self._serializer.page(
            owner,
            page,
            endpoint=link_endpoint(request, self._library),
            now=self._library.now(),
            form=links,
        )
        headers = {"ETag": serialized.etag, **PRIVATE}
        if page.next:
            form = {} if links is LinkForm.FULL else {"links": links}
            query = urlencode({"limit": limit, "order": order, "after": str(page.next), **form})
            headers["Link"] = f'<{public_path(request.scope)}?{query}>; rel="next"'
        if matches_etag(request, serialized.etag):
            return Response(status_code=304, headers=headers)
        body = serialized.json
        if len(body) >= _WORTH_COMPRESSING and "gzip" in request.headers.get("accept-encoding", ""):
            # Not in a middleware: a page is compressed once and sent many times.
            body = serialized.gzipped
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(body, media_type="application/json", headers=headers)

    async def months(self, request: Request, order: Order = Order.TAKEN) -> Response:
        """Return the months that have photos, or 304 if the client already has them."""
        months = await self._library.months(owner_of(request), order=order)
        body = msgspec.json.encode([month_to_view(month) for month in months])
        headers = {"ETag": etag_of(body), **PRIVATE}
        if matches_etag(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    async def add(self, request: Request) -> Response:
        """Add the photo of a form upload."""
        owner = owner_of(request)
        async with read_upload_form(request, self._library, owner) as form:
            photo, caption, modified_at = form
            added = await self._library.add(owner, photo, caption, modified_at=modified_at)
        location = f"{public_path(request.scope).rstrip('/')}/{added.photo.id}"
        return self._serializer.respond(
            request, added.photo, status=201 if added.created else 200, Location=location
        )

    async def get(self, request: Request, photo_id: PathId) -> Response:
        """Return one photo."""
        return self._serializer.respond(request, await self._find(request, photo_id))

    async def edit(self, request: Request, photo_id: PathId) -> Response:
        """Change the title, description or capture time of a photo."""
        id_ = parse_id(photo_id)
        changes = await read_json(request, PhotoChanges, self._library.limits)
        photo = await self._library.edit(
            owner_of(request),
            id_,
            title=changes.title,
            description=changes.description,
            taken_at=parse_taken_at(changes.taken_at),
        )
        return self._serializer.respond(request, photo)

    async def delete(self, request: Request, photo_id: PathId) -> Response:
        """Delete a photo."""
        id_ = parse_id(photo_id)
        await self._library.delete(owner_of(request), id_)
        log_security_event(request, SecurityEvent.PHOTO_DELETED, photo=id_)
        return Response(status_code=204)

    async def _find(self, request: Request, photo_id: str) -> Photo:
        return await self._library.photo(owner_of(request), parse_id(photo_id))


_UPLOAD = (
    errors.InvalidRequest,
    errors.RequestTimeout,
    errors.TooLarge,
    errors.UnsupportedType,
    errors.EmptyFile,
    errors.CorruptImage,
    errors.TooManyPixels,
    errors.TooManyFrames,
    errors.Busy,
)

"""The calls on photos: a router for this app, or for somebody else's."""

import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse

from safelight import errors
from safelight.errors import InvalidRequest, NotFound
from safelight.library import MAX_PAGE, MAX_SKIP, Library
from safelight.photo import Order, Photo
from safelight.web import problems, schema
from safelight.web.answers import PRIVATE, PhotoAnswers, owner_of
from safelight.web.arrival import ClientGone, json_body
from safelight.web.endpoints import link_endpoint
from safelight.web.form import upload_form
from safelight.web.uploads import UploadCalls
from safelight.web.views import Views, etag_of, month_view

Owner = Callable[..., str | Awaitable[str]]

_ID = re.compile(r"[1-9][0-9]{0,18}")
_MAX_ID = 2**63 - 1
WrittenId = Annotated[str, Path(json_schema_extra={"pattern": f"^{_ID.pattern}$"})]
"""An id in an address. What can't be one is answered as one that isn't there."""

_WORTH_COMPRESSING = 1024
_AWAY = (errors.CatalogUnavailable, errors.StorageUnavailable, errors.StorageFull)
_WHO = (errors.Unauthenticated, errors.ForbiddenOrigin)


def photo_router(library: Library, *, owner: Owner) -> APIRouter:
    """Make the router of ``/photos``; include it under a prefix of your choice.

    `owner` is a FastAPI dependency that gives an opaque string: whose photos a request is about.
    It raises for a visitor who may not. It is asked before a byte of a body is read, as long as
    it reads none itself.
    """

    async def know_owner(request: Request, whose: Annotated[str, Depends(owner)]) -> None:
        if not isinstance(whose, str) or not whose or "\0" in whose:
            raise errors.Unauthenticated
        request.state.safelight_owner = whose

    router = APIRouter(
        tags=["photos"], dependencies=[Depends(know_owner)], route_class=ProblemRoute
    )
    _Calls(library).register(router)
    return router


class ProblemRoute(APIRoute):
    """A route that answers our errors itself, whatever app it is part of."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except errors.SafelightError as error:
                return problems.answer(error)
            except RequestValidationError as error:
                return problems.invalid(error)
            except ClientGone:
                return Response(status_code=400)

        return answered


class PhotoChanges(msgspec.Struct, forbid_unknown_fields=True):
    """What PATCH takes: the fields to change."""

    title: str | None = None
    description: str | None = None


def photo_id(written: str) -> int:
    """Read an id as clients send it. Raises NotFound for what can't be one."""
    if not _ID.fullmatch(written) or int(written) > _MAX_ID:
        raise NotFound
    return int(written)


class _Calls:
    """The calls. Each finds its owner where the router's dependency left it."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._views = Views(library)
        self._answers = PhotoAnswers(library, self._views)

    def register(self, router: APIRouter) -> None:
        """Add a route for each call."""
        UploadCalls(self._library, self._answers).register(router)
        one = "/photos/{photo_id}"
        found = schema.photo_answer("The photo")
        router.add_api_route(
            "/photos",
            self.list,
            summary="List photos, newest first",
            description="The next page's address is in the `Link` header, with `rel=next`.",
            responses={
                200: schema.with_headers(schema.photos_answer("A page of photos"), "ETag", "Link"),
                304: schema.unchanged_answer(),
                **schema.problems(*_WHO, errors.InvalidRequest, errors.CatalogUnavailable),
            },
            response_class=Response,
        )
        router.add_api_route(
            "/photos",
            self.add,
            methods=["POST"],
            status_code=201,
            summary="Add a photo",
            openapi_extra=schema.FORM_BODY,
            responses={
                200: schema.placed_answer(
                    "The photo that was there with the same bytes, unchanged"
                ),
                201: schema.placed_answer("The photo that was added"),
                **schema.problems(*_WHO, *_UPLOAD, *_AWAY),
            },
            response_class=Response,
        )
        router.add_api_route(
            "/photos/months",
            self.months,
            summary="Count the photos of each month, newest first",
            description="`after` begins a page of `/photos`, in the same order, with the month.",
            responses={
                200: schema.with_headers(
                    schema.months_answer("The months that have photos"), "ETag"
                ),
                304: schema.unchanged_answer(),
                **schema.problems(*_WHO, errors.InvalidRequest, errors.CatalogUnavailable),
            },
            response_class=Response,
        )
        router.add_api_route(
            one,
            self.get,
            summary="Show a photo",
            responses={200: found, **schema.problems(*_WHO, NotFound, errors.CatalogUnavailable)},
            response_class=Response,
        )
        router.add_api_route(
            one,
            self.edit,
            methods=["PATCH"],
            summary="Change title or description",
            openapi_extra=schema.PATCH_BODY,
            responses={
                200: found,
                **schema.problems(
                    *_WHO, NotFound, InvalidRequest, errors.TooLarge, errors.RequestTimeout, *_AWAY
                ),
            },
            response_class=Response,
        )
        router.add_api_route(
            one,
            self.delete,
            methods=["DELETE"],
            status_code=204,
            summary="Delete a photo; links given out die with it",
            responses=schema.problems(*_WHO, NotFound, errors.CatalogUnavailable),
        )
        router.add_api_route(
            f"{one}/{{rendition}}",
            self.redirect,
            status_code=307,
            summary="Go to a photo's bytes",
            responses={
                307: schema.with_headers(
                    {"description": "To the signed URL of the original, or of the rendition"},
                    "Location",
                ),
                **schema.problems(*_WHO, NotFound, InvalidRequest, errors.CatalogUnavailable),
            },
            response_class=Response,
        )

    async def list(
        self,
        request: Request,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
        order: Order = Order.ADDED,
        after: Annotated[str | None, Query(description="Where the page begins; opaque")] = None,
        skip: Annotated[
            int, Query(ge=0, le=MAX_SKIP, description="How many to leave out from there on")
        ] = 0,
    ) -> Response:
        """Answer with a page, or with 304 if the client has it already."""
        owner = owner_of(request)
        page = await self._library.page(owner, order=order, after=after, limit=limit, skip=skip)
        view = await self._views.page(
            owner, page, endpoint=link_endpoint(request, self._library), now=self._library.now()
        )
        headers = {"ETag": view.etag, **PRIVATE}
        if page.next:
            query = urlencode({"limit": limit, "order": order, "after": str(page.next)})
            headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
        if _has(request, view.etag):
            return Response(status_code=304, headers=headers)
        body = view.json
        if len(body) >= _WORTH_COMPRESSING and "gzip" in request.headers.get("accept-encoding", ""):
            # By ourselves, since a page is compressed once and sent many times.
            body = view.gzipped
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(body, media_type="application/json", headers=headers)

    async def months(self, request: Request, order: Order = Order.TAKEN) -> Response:
        """Answer with the months, in UTC, that have photos; or with 304."""
        months = await self._library.months(owner_of(request), order=order)
        body = msgspec.json.encode([month_view(month) for month in months])
        headers = {"ETag": etag_of(body), **PRIVATE}
        if _has(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    async def add(self, request: Request) -> Response:
        """Take a photo in."""
        async with upload_form(request, self._library) as form:
            added = await self._library.add(owner_of(request), form.photo.file, form.caption)
        location = f"{request.url.path.rstrip('/')}/{added.photo.id}"
        return self._answers.shown(
            request, added.photo, status=201 if added.created else 200, Location=location
        )

    async def get(self, request: Request, photo_id: WrittenId) -> Response:
        """Answer with one photo."""
        return self._answers.shown(request, await self._find(request, photo_id))

    async def edit(self, request: Request, photo_id: WrittenId) -> Response:
        """Change what is said of a photo."""
        id_ = _id(photo_id)
        changes = await json_body(request, PhotoChanges, self._library.limits)
        photo = await self._library.edit(
            owner_of(request), id_, title=changes.title, description=changes.description
        )
        return self._answers.shown(request, photo)

    async def delete(self, request: Request, photo_id: WrittenId) -> Response:
        """Delete a photo."""
        await self._library.delete(owner_of(request), _id(photo_id))
        return Response(status_code=204)

    async def redirect(
        self,
        request: Request,
        photo_id: WrittenId,
        rendition: str,
        *,
        download: Annotated[
            bool, Query(description="Whether the original is to be saved under its name")
        ] = False,
    ) -> Response:
        """Send the client to the store."""
        photo = await self._find(request, photo_id)
        endpoint = link_endpoint(request, self._library)
        if download and rendition == "original":
            link = self._library.download(photo, endpoint=endpoint)
        else:
            link = self._library.link(photo, rendition, endpoint=endpoint)
        return RedirectResponse(link.url, status_code=307, headers={"Cache-Control": "no-store"})

    async def _find(self, request: Request, written: str) -> Photo:
        return await self._library.photo(owner_of(request), _id(written))


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

_id = photo_id


def _has(request: Request, etag: str) -> bool:
    """Whether If-None-Match names the tag (RFC 9110, 13.1.2; compared weakly)."""
    told = request.headers.get("if-none-match", "")
    return told.strip() == "*" or etag in {
        tag.strip().removeprefix("W/") for tag in told.split(",")
    }

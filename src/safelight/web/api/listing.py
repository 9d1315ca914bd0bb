"""The routes that list an owner's photos, or some of them, and count them by month."""

from typing import Annotated
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Query, Request, Response

from safelight import errors
from safelight.library import MAX_PAGE, MAX_SKIP, Library
from safelight.library.captions import MAX_QUERY
from safelight.models import Order
from safelight.web.api import openapi
from safelight.web.api.photo_json import PhotoSerializer, etag_of, matches_etag, month_to_view
from safelight.web.api.photo_parts import LinkForm, PartsPageView
from safelight.web.api.routing import PRIVATE, owner_of, parse_id
from safelight.web.api.schemas import MonthView, PhotoView
from safelight.web.hosts import link_endpoint
from safelight.web.http.paths import public_path

_WORTH_COMPRESSING = 1024
_ERRORS = (
    *(errors.Unauthenticated, errors.ForbiddenOrigin),
    *(errors.InvalidRequest, errors.NotFound, errors.CatalogUnavailable),
)
Search = Annotated[
    str | None,
    Query(
        description=(
            f"Words of title, description, file name or camera, and years or months, up to"
            f" {MAX_QUERY} characters: `beach 2019`, `May 2019`, `2019-05`. Photos are found that"
            " have all of them; the last may be the beginning of a word."
        )
    ),
]


class ListCalls:
    """The handlers. The router's dependency has stored the owner of each request."""

    def __init__(self, library: Library, serializer: PhotoSerializer) -> None:
        self._library = library
        self._serializer = serializer

    def register(self, router: APIRouter) -> None:
        """Add a route for each handler."""
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
                **openapi.problems(*_ERRORS),
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
                **openapi.problems(*_ERRORS),
            },
            response_class=Response,
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
        q: Search = None,
        album: Annotated[
            str | None, Query(description="An album's id: its photos, in its order")
        ] = None,
        trash: Annotated[
            bool, Query(description="The photos in the trash instead, the last trashed first")
        ] = False,
    ) -> Response:
        """Return a page, or 304 if the client already has it."""
        owner = owner_of(request)
        if trash:
            if q is not None or album is not None:
                raise errors.InvalidRequest("The trash can't be searched, and has no albums.")
            page = await self._library.trash_page(owner, after=after, limit=limit, skip=skip)
        else:
            page = await self._library.page(
                owner,
                order=order,
                after=after,
                limit=limit,
                skip=skip,
                q=q,
                album=None if album is None else parse_id(album, "album"),
            )
        serialized = await self._serializer.page(
            owner,
            page,
            endpoint=link_endpoint(request, self._library),
            now=self._library.now(),
            form=links,
            trashed=trash,
        )
        headers = {"ETag": serialized.etag, **PRIVATE}
        if page.next:
            query = {"limit": limit, "order": order, "after": str(page.next)}
            query |= {} if links is LinkForm.FULL else {"links": links}
            query |= {} if q is None else {"q": q}
            query |= {} if album is None else {"album": album}
            query |= {"trash": "true"} if trash else {}
            headers["Link"] = f'<{public_path(request.scope)}?{urlencode(query)}>; rel="next"'
        if matches_etag(request, serialized.etag):
            return Response(status_code=304, headers=headers)
        body = serialized.json
        if len(body) >= _WORTH_COMPRESSING and "gzip" in request.headers.get("accept-encoding", ""):
            # Not in a middleware: a page is compressed once and sent many times.
            body = serialized.gzipped
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(body, media_type="application/json", headers=headers)

    async def months(
        self, request: Request, order: Order = Order.TAKEN, q: Search = None
    ) -> Response:
        """Return the months that have photos, or 304 if the client already has them."""
        months = await self._library.months(owner_of(request), order=order, q=q)
        body = msgspec.json.encode([month_to_view(month) for month in months])
        headers = {"ETag": etag_of(body), **PRIVATE}
        if matches_etag(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

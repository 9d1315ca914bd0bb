"""The routes of ``/downloads``: many originals as one ZIP archive."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from safelight import errors
from safelight.errors import NotFound, SafelightError
from safelight.library import Library
from safelight.signing.attachments import as_attachment
from safelight.web.api import openapi
from safelight.web.api.routing import owner_of
from safelight.web.api.schemas import DownloadRequest, DownloadView
from safelight.web.http.body import read_json
from safelight.web.http.paths import public_path
from safelight.web.http.ranges import parse_range
from safelight.web.middleware.head import is_head
from safelight.web.problems import make_problem

_MAX_JSON = 256 * 1024
"""Bytes, for the longest ids."""
_ACCESS = (errors.Unauthenticated, errors.ForbiddenOrigin)
_MEDIA_TYPE = "application/zip"

_log = logging.getLogger(__name__)


class DownloadCalls:
    """The handlers. The router's dependency has stored the owner of each request."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def register(self, router: APIRouter) -> None:
        """Add a route for each handler."""
        router.add_api_route(
            "/downloads",
            self.create,
            methods=["POST"],
            status_code=201,
            summary="Prepare a ZIP archive of photos",
            description=(
                "It has the originals under their file names, with numbers where several are the"
                " same. Open its URL with the same authentication, within a day."
            ),
            openapi_extra=openapi.json_request("DownloadRequest"),
            responses={
                201: openapi.with_headers(
                    openapi.response("The archive", DownloadView), "Location"
                ),
                **openapi.problems(
                    *_ACCESS,
                    NotFound,
                    errors.InvalidRequest,
                    errors.UnsupportedType,
                    errors.TooLarge,
                    errors.RequestTimeout,
                    errors.CatalogUnavailable,
                    errors.StorageFull,
                ),
            },
            response_class=Response,
        )
        path = "/downloads/{token}"
        body = openapi.response(
            "The archive",
            {"type": "string", "contentMediaType": _MEDIA_TYPE},
            media_type=_MEDIA_TYPE,
        )
        router.add_api_route(
            path,
            self.download,
            summary="Download a ZIP archive",
            description=(
                "Its length is known, and it can be resumed with `Range` and `If-Range`. Photos"
                " that were deleted since are left out, which changes the `ETag`."
            ),
            responses={
                200: openapi.with_headers(body, "ETag", "Content-Disposition"),
                206: openapi.with_headers(body, "ETag", "Content-Disposition", "Content-Range"),
                **openapi.problems(
                    *_ACCESS,
                    NotFound,
                    errors.RangeNotSatisfiable,
                    errors.Busy,
                    errors.CatalogUnavailable,
                    errors.StorageUnavailable,
                ),
            },
            response_class=Response,
        )
        # Safelight's own app turns HEAD into GET before routing, but an embedding app doesn't.
        router.add_api_route(
            path, self.download, methods=["HEAD"], include_in_schema=False, response_class=Response
        )

    async def create(self, request: Request) -> Response:
        """Prepare an archive."""
        body = await read_json(request, DownloadRequest, self._library.limits, limit=_MAX_JSON)
        made = await self._library.create_download(owner_of(request), body.ids)
        url = f"{public_path(request.scope).rstrip('/')}/{made.token}"
        view = DownloadView(
            url=url,
            filename=made.filename,
            size=made.size,
            photos=made.photos,
            missing=list(made.missing),
            expires_at=made.expires_at,
        )
        return Response(
            msgspec.json.encode(view),
            status_code=201,
            media_type="application/json",
            headers={"Location": url, "Cache-Control": "no-store"},
        )

    async def download(self, request: Request, token: str) -> Response:
        """Send an archive, or a range of it."""
        opened = await self._library.open_download(owner_of(request), token)
        if_range = request.headers.get("if-range")
        wanted = request.headers.get("range") if if_range in {None, opened.etag} else None
        try:
            range_ = parse_range(wanted, opened.size)
        except errors.RangeNotSatisfiable as error:
            headers = {"Content-Range": f"bytes */{opened.size}"}
            return make_problem(error.status, error.code, str(error), headers)
        start, stop = range_ or (0, opened.size)
        headers = {
            "Accept-Ranges": "bytes",
            "Cache-Control": "private, no-store",
            "Content-Disposition": as_attachment(opened.filename),
            # So that no middleware compresses it: the length would be lost, and so would ranges.
            "Content-Encoding": "identity",
            "Content-Length": str(stop - start),
            "ETag": opened.etag,
        }
        if range_:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{opened.size}"
        status = 206 if range_ else 200
        if is_head(request):
            return Response(status_code=status, headers=headers, media_type=_MEDIA_TYPE)
        parts = opened.read(start, stop)
        first = await anext(parts)  # an unavailable store becomes a 503, not a broken download
        return StreamingResponse(
            _parts(first, parts), status_code=status, headers=headers, media_type=_MEDIA_TYPE
        )


async def _parts(first: bytes, others: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the parts. After an error the connection is closed, so the client sees the loss."""
    try:
        async with aclosing(others):
            yield first
            async for part in others:
                yield part
    except SafelightError as error:
        _log.warning("a download ended early: %s", error)
        raise

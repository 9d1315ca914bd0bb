"""The route that clients poll to find out whether anything has changed."""

import msgspec
from fastapi import APIRouter, Request, Response

from safelight import errors
from safelight.library import Library
from safelight.web.api import openapi
from safelight.web.api.changes.schemas import ChangesView
from safelight.web.api.photo_json import etag_of, matches_etag
from safelight.web.api.routing import PRIVATE, owner_of


class ChangeCalls:
    """The handler. The router's dependency has stored the owner of each request."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def register(self, router: APIRouter) -> None:
        """Add the route."""
        router.add_api_route(
            "/changes",
            self.show,
            summary="Find out whether anything has changed",
            description=(
                "While the value stays the same, no photo or album was added, edited, moved to the"
                " trash, restored or deleted, and no link was revoked. New renditions are no"
                " change. Read it before the photos, and again every few seconds."
            ),
            responses={
                200: openapi.with_headers(
                    openapi.response("The value to compare", ChangesView), "ETag"
                ),
                304: openapi.not_modified(),
                **openapi.problems(
                    errors.Unauthenticated, errors.ForbiddenOrigin, errors.CatalogUnavailable
                ),
            },
            response_class=Response,
        )

    async def show(self, request: Request) -> Response:
        """Return the owner's number of changes, or 304 if the client already has it."""
        number = await self._library.count_changes(owner_of(request))
        body = msgspec.json.encode(ChangesView(changes=str(number)))
        headers = {"ETag": etag_of(body), **PRIVATE}
        if matches_etag(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

"""The route that changes many photos at once."""

from datetime import timedelta
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from safelight import errors
from safelight.errors import InvalidRequest
from safelight.library import Library
from safelight.models import BulkResult
from safelight.web.api import openapi
from safelight.web.api.routing import owner_of, parse_ids, parse_taken_at
from safelight.web.api.schemas import BulkChanges, BulkResultView
from safelight.web.http.body import read_json


class BulkCalls:
    """The handler. The router's dependency has stored the owner of each request."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def register(self, router: APIRouter) -> None:
        """Add the route."""
        router.add_api_route(
            "/photos",
            self.edit,
            methods=["PATCH"],
            summary="Change or shift the capture times of up to 500 photos, or rotate them",
            description="All of the photos are changed, or after an error none.",
            openapi_extra=openapi.json_request("BulkChanges"),
            responses={
                200: openapi.response(
                    "The photos that were changed, and the others", BulkResultView
                ),
                **openapi.problems(
                    errors.Unauthenticated,
                    errors.ForbiddenOrigin,
                    InvalidRequest,
                    errors.UnsupportedType,
                    errors.TooLarge,
                    errors.RequestTimeout,
                    errors.CatalogUnavailable,
                    errors.StorageFull,
                ),
            },
            response_class=Response,
        )

    async def edit(
        self,
        request: Request,
        ids: Annotated[str, Query(description="The ids of the photos, separated by commas")],
    ) -> Response:
        """Change or shift the capture times of photos, or rotate them."""
        owner, numbers = owner_of(request), parse_ids(ids)
        changes = await read_json(request, BulkChanges, self._library.limits)
        result = await self._change(owner, numbers, changes)
        view = BulkResultView(done=list(result.done), missing=list(result.missing))
        return Response(
            msgspec.json.encode(view),
            media_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    async def _change(self, owner: str, ids: list[int], changes: BulkChanges) -> BulkResult:
        date, seconds, degrees = (
            parse_taken_at(changes.taken_at),
            changes.shift_seconds,
            changes.rotate,
        )
        given = [date is not None, seconds is not msgspec.UNSET, degrees is not msgspec.UNSET]
        if given.count(True) == 1:
            if date is not None:
                return await self._library.set_dates(owner, ids, date)
            if seconds is not msgspec.UNSET:
                return await self._library.shift_dates(owner, ids, timedelta(seconds=seconds))
            if degrees is not msgspec.UNSET:
                return await self._library.rotate(owner, ids, degrees)
        raise InvalidRequest("Send one of taken_at, shift_seconds and rotate.")

"""The route ``/photos/{id}/{rendition}``: redirects to a photo's bytes in the bucket."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from safelight import errors
from safelight.library import Library
from safelight.web.api import openapi
from safelight.web.api.routing import PathId, owner_of, parse_id
from safelight.web.hosts import link_endpoint
from safelight.web.middleware.head import is_head

_PATH = "/photos/{photo_id}/{rendition}"


class LinkCalls:
    """The handlers. The router's dependency has stored the owner of each request."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def register(self, router: APIRouter) -> None:
        """Add a route for each handler."""
        router.add_api_route(
            _PATH,
            self.redirect,
            status_code=307,
            summary="Redirect to a photo's bytes",
            description=(
                "The URL is signed for the method of the request, GET or HEAD: a store refuses a"
                " URL with any other method."
            ),
            responses={
                307: openapi.with_headers(
                    {"description": "To the signed URL of the original, or of the rendition"},
                    "Location",
                ),
                **openapi.problems(
                    errors.Unauthenticated,
                    errors.ForbiddenOrigin,
                    errors.NotFound,
                    errors.InvalidRequest,
                    errors.CatalogUnavailable,
                    errors.StorageUnavailable,
                ),
            },
            response_class=Response,
        )
        # Safelight's own app turns HEAD into GET before routing, but an embedding app doesn't.
        router.add_api_route(
            _PATH, self.redirect, methods=["HEAD"], include_in_schema=False, response_class=Response
        )

    async def redirect(
        self,
        request: Request,
        photo_id: PathId,
        rendition: str,
        *,
        download: Annotated[
            bool, Query(description="Download the original under its file name")
        ] = False,
    ) -> Response:
        """Redirect to a signed URL in the bucket."""
        photo = await self._library.photo(owner_of(request), parse_id(photo_id))
        endpoint = link_endpoint(request, self._library)
        method: Literal["GET", "HEAD"] = "HEAD" if is_head(request) else "GET"
        if download and rendition == "original":
            link = self._library.download_link(photo, method=method, endpoint=endpoint)
        else:
            link = self._library.link(photo, rendition, method=method, endpoint=endpoint)
        return RedirectResponse(link.url, status_code=307, headers={"Cache-Control": "no-store"})

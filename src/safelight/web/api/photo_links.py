"""The route ``/photos/{id}/{rendition}``: redirects to a photo's bytes in the bucket.

And ``/photos/presets``, which lists the names of renditions.
"""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from safelight import errors
from safelight.library import Library
from safelight.models import Preset
from safelight.web.api import openapi
from safelight.web.api.photo_json import etag_of, matches_etag
from safelight.web.api.routing import PRIVATE, PathId, owner_of, parse_id
from safelight.web.api.schemas import PresetView
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
            "/photos/presets",
            self.presets,
            summary="List the presets of renditions, narrowest first",
            description=(
                "Each name is a rendition of every photo, at `/photos/{photo_id}/{rendition}`. A"
                " small JPEG that a preset doesn't shrink stays a JPEG: see the `content_type` of"
                " the photo's renditions."
            ),
            responses={
                200: openapi.with_headers(
                    openapi.response("The presets", list[PresetView]), "ETag"
                ),
                304: openapi.not_modified(),
                **openapi.problems(errors.Unauthenticated, errors.ForbiddenOrigin),
            },
            response_class=Response,
        )
        router.add_api_route(
            _PATH,
            self.redirect,
            status_code=307,
            summary="Redirect to a photo's bytes",
            description=(
                "A rendition that is missing is made first, which may take up to ten seconds;"
                " after that the response is 503, and the next attempt finds it. A photo that is"
                " smaller than the preset has one of all its pixels. The URL is signed for the"
                " method of the request, GET or HEAD: a store refuses a URL with any other method."
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
                    errors.CorruptImage,
                    errors.Busy,
                    errors.CatalogUnavailable,
                    errors.StorageUnavailable,
                    errors.StorageFull,
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
        """Redirect to a signed URL in the bucket, of a rendition that is made if it is missing."""
        owner, id_ = owner_of(request), parse_id(photo_id)
        self._library.backends.darkroom.read_load.record()
        photo = await self._library.renditions.get_or_make(owner, id_, rendition)
        endpoint = link_endpoint(request, self._library)
        method: Literal["GET", "HEAD"] = "HEAD" if is_head(request) else "GET"
        if download and rendition == "original":
            link = self._library.download_link(photo, method=method, endpoint=endpoint)
        else:
            link = self._library.link(photo, rendition, method=method, endpoint=endpoint)
        return RedirectResponse(link.url, status_code=307, headers={"Cache-Control": "no-store"})

    async def presets(self, request: Request) -> Response:
        """Return the presets, or 304 if the client already has them."""
        body = msgspec.json.encode([_preset_view(each) for each in self._library.backends.presets])
        headers = {"ETag": etag_of(body), **PRIVATE}
        if matches_etag(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)


def _preset_view(preset: Preset) -> PresetView:
    return PresetView(
        name=preset.name,
        width=preset.width,
        height=preset.height,
        short_side=preset.short_side,
        fit=preset.fit,
        content_type=preset.content_type,
        when=preset.when,
    )

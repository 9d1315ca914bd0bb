"""The routes that delete photos, restore them from the trash, and revoke links."""

from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from safelight import errors
from safelight.library import Library
from safelight.models import BulkResult
from safelight.web.api import openapi
from safelight.web.api.deletion.schemas import EmptiedView, TrashView
from safelight.web.api.routing import PathId, owner_of, parse_id, parse_ids
from safelight.web.api.schemas import BulkResultView, PhotoView
from safelight.web.security_log import SecurityEvent, deletion_event, log_security_event

if TYPE_CHECKING:
    from safelight.web.api.photo_json import PhotoSerializer

_ERRORS = (
    *(errors.Unauthenticated, errors.ForbiddenOrigin, errors.CatalogUnavailable),
    errors.StorageFull,
)
_IDS = Query(description="The ids of up to 500 photos, separated by commas")
_PERMANENT = Query(description="Delete for good, without the trash; also photos in the trash")


class TrashCalls:
    """The handlers. The router's dependency has stored the owner of each request."""

    def __init__(self, library: Library, serializer: "PhotoSerializer") -> None:
        self._library = library
        self._serializer = serializer

    def register(self, router: APIRouter) -> None:
        """Add a route for each handler."""
        one = "/photos/{photo_id}"
        not_found = openapi.problems(*_ERRORS, errors.NotFound)
        result = {
            200: openapi.response("The photos that were changed, and the others", BulkResultView),
            **openapi.problems(*_ERRORS, errors.InvalidRequest),
        }
        router.add_api_route(
            one,
            self.delete,
            methods=["DELETE"],
            status_code=204,
            summary="Move a photo to the trash; its links stop working",
            description=(
                "While the store is down or full, links stop working once it is not. A photo in the"
                " trash is deleted for good after some days (`deletes_at`); without a trash, it is"
                " deleted at once."
            ),
            responses=openapi.problems(*_ERRORS, errors.NotFound, errors.InvalidRequest),
        )
        router.add_api_route(
            "/photos",
            self.delete_many,
            methods=["DELETE"],
            summary="Move up to 500 photos to the trash",
            responses=result,
            response_class=Response,
        )
        router.add_api_route(
            f"{one}/restore",
            self.restore,
            methods=["POST"],
            summary="Restore a photo from the trash",
            responses={200: openapi.response("The photo, with new links", PhotoView), **not_found},
            response_class=Response,
        )
        router.add_api_route(
            "/photos/restore",
            self.restore_many,
            methods=["POST"],
            summary="Restore up to 500 photos from the trash",
            responses=result,
            response_class=Response,
        )
        router.add_api_route(
            f"{one}/revoke-links",
            self.revoke_links,
            methods=["POST"],
            status_code=204,
            summary="Make all links to a photo stop working; the photo stays",
            description="Copies that a browser has stored can't be called back.",
            responses=not_found,
        )
        router.add_api_route(
            "/trash",
            self.count,
            summary="Count the photos in the trash",
            responses={
                200: openapi.response("The number of photos, and how long they stay", TrashView),
                **openapi.problems(*_ERRORS),
            },
            response_class=Response,
        )
        router.add_api_route(
            "/trash",
            self.empty,
            methods=["DELETE"],
            summary="Delete all photos in the trash for good",
            responses={
                200: openapi.response("The number of photos", EmptiedView),
                **openapi.problems(*_ERRORS),
            },
            response_class=Response,
        )

    async def delete(
        self, request: Request, photo_id: PathId, *, permanent: Annotated[bool, _PERMANENT] = False
    ) -> Response:
        """Move a photo to the trash, or delete it for good."""
        id_, owner = parse_id(photo_id), owner_of(request)
        if permanent:
            await self._library.delete(owner, id_)
        else:
            await self._library.trash(owner, id_)
        log_security_event(request, deletion_event(permanent=permanent), photo=id_)
        return Response(status_code=204)

    async def delete_many(
        self,
        request: Request,
        ids: Annotated[str, _IDS],
        *,
        permanent: Annotated[bool, _PERMANENT] = False,
    ) -> Response:
        """Move photos to the trash, or delete them for good."""
        owner, numbers = owner_of(request), parse_ids(ids)
        if permanent:
            result = await self._library.delete_many(owner, numbers)
        else:
            result = await self._library.trash_many(owner, numbers)
        for id_ in result.done:
            log_security_event(request, deletion_event(permanent=permanent), photo=id_)
        return _respond(result)

    async def restore(self, request: Request, photo_id: PathId) -> Response:
        """Restore a photo from the trash."""
        photo = await self._library.restore(owner_of(request), parse_id(photo_id))
        return self._serializer.respond(request, photo)

    async def restore_many(self, request: Request, ids: Annotated[str, _IDS]) -> Response:
        """Restore photos from the trash."""
        return _respond(await self._library.restore_many(owner_of(request), parse_ids(ids)))

    async def revoke_links(self, request: Request, photo_id: PathId) -> Response:
        """Make all links to a photo stop working."""
        id_ = parse_id(photo_id)
        await self._library.revoke_links(owner_of(request), id_)
        log_security_event(request, SecurityEvent.LINKS_REVOKED, photo=id_)
        return Response(status_code=204)

    async def count(self, request: Request) -> Response:
        """Return the number of photos in the trash."""
        photos, revoking = await self._library.count_trash(owner_of(request))
        days = self._library.backends.trash_time.days
        return _respond_json(TrashView(photos=photos, days=days, revoking=revoking))

    async def empty(self, request: Request) -> Response:
        """Delete all photos in the trash for good."""
        deleted = await self._library.empty_trash(owner_of(request))
        log_security_event(request, SecurityEvent.TRASH_EMPTIED, photos=deleted)
        return _respond_json(EmptiedView(deleted=deleted))


def _respond(result: BulkResult) -> Response:
    return _respond_json(BulkResultView(done=list(result.done), missing=list(result.missing)))


def _respond_json(view: msgspec.Struct) -> Response:
    return Response(
        msgspec.json.encode(view),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )

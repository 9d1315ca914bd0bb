"""The calls on direct uploads: reserve, sign, complete, give up. No byte of a photo comes here."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from safelight import errors
from safelight.library import Added, Library
from safelight.permits import Permit
from safelight.photo import Caption
from safelight.upload import Upload
from safelight.web import schema
from safelight.web.answers import PhotoAnswers, owner_of
from safelight.web.arrival import json_body
from safelight.web.endpoints import link_endpoint
from safelight.web.shapes import PartsView, PermitView, PutView, SignRequest, UploadRequest

_WHO = (errors.Unauthenticated, errors.ForbiddenOrigin)
_BODY = (errors.InvalidRequest, errors.RequestTimeout, errors.TooLarge)
_AWAY = (errors.CatalogUnavailable, errors.StorageUnavailable)
_NOT_KEPT = {"Cache-Control": "no-store"}


class UploadCalls:
    """The calls. Each finds its owner where the router's dependency left it."""

    def __init__(self, library: Library, answers: PhotoAnswers) -> None:
        self._library = library
        self._answers = answers

    def register(self, router: APIRouter) -> None:
        """Add a route for each call."""
        one = "/uploads/{upload_id}"
        router.add_api_route(
            "/uploads",
            self.begin,
            methods=["POST"],
            status_code=201,
            summary="Reserve an upload that goes straight to the bucket",
            openapi_extra=schema.json_request("UploadRequest"),
            responses={
                200: schema.placed_answer(
                    "The photo that was there with the same bytes, unchanged"
                ),
                201: schema.upload_answer("What may be sent now"),
                **schema.problems(
                    *_WHO,
                    *_BODY,
                    errors.UnsupportedType,
                    errors.EmptyFile,
                    errors.TooManyUploads,
                    *_AWAY,
                ),
            },
            response_class=Response,
        )
        router.add_api_route(
            f"{one}/sign",
            self.sign,
            methods=["POST"],
            summary="Sign a step of an upload in parts",
            openapi_extra=schema.json_request("SignRequest"),
            responses={
                200: schema.permit_answer("The request that may be made of the store"),
                **schema.problems(*_WHO, errors.NotFound, *_BODY, *_AWAY),
            },
            response_class=Response,
        )
        router.add_api_route(
            f"{one}/complete",
            self.complete,
            methods=["POST"],
            status_code=201,
            summary="Make a photo of what was sent",
            responses={
                200: schema.placed_answer("The photo that was there, unchanged"),
                201: schema.placed_answer("The photo that was added"),
                **schema.problems(*_WHO, *_COMPLETION, *_AWAY, errors.StorageFull),
            },
            response_class=Response,
        )
        router.add_api_route(
            one,
            self.abort,
            methods=["DELETE"],
            status_code=204,
            summary="Give an upload up, with all that was sent of it",
            responses=schema.problems(*_WHO, errors.NotFound, errors.CatalogUnavailable),
        )

    async def begin(self, request: Request) -> Response:
        """Reserve an upload."""
        asked = await json_body(request, UploadRequest, self._library.limits)
        begun = await self._library.begin_upload(
            owner_of(request),
            size=asked.size,
            content_type=asked.content_type,
            caption=Caption(
                title=asked.title, description=asked.description, filename=asked.filename
            ),
            sha256=asked.sha256,
            in_parts=asked.multipart,
            endpoint=link_endpoint(request, self._library),
        )
        if isinstance(begun, Added):
            return self._added(request, begun)
        if begun.permit is None:
            return _json(_in_parts(begun.upload), status=201)
        return _json(PutView(id=begun.upload.name, **_fields(begun.permit)), status=201)

    async def sign(self, request: Request, upload_id: str) -> Response:
        """Sign a step."""
        asked = await json_body(request, SignRequest, self._library.limits)
        permit = await self._library.sign_upload(
            owner_of(request),
            upload_id,
            asked.operation,
            part_number=asked.part_number,
            upload_id=asked.upload_id,
            endpoint=link_endpoint(request, self._library),
        )
        return _json(PermitView(**_fields(permit)))

    async def complete(self, request: Request, upload_id: str) -> Response:
        """Make a photo."""
        return self._added(
            request, await self._library.complete_upload(owner_of(request), upload_id)
        )

    async def abort(self, request: Request, upload_id: str) -> Response:
        """Give it up."""
        await self._library.abort_upload(owner_of(request), upload_id)
        return Response(status_code=204)

    def _added(self, request: Request, added: Added) -> Response:
        """Answer as the form upload does."""
        above = request.url.path.rstrip("/").rpartition("/uploads")[0]
        return self._answers.shown(
            request,
            added.photo,
            status=201 if added.created else 200,
            Location=f"{above}/photos/{added.photo.id}",
        )


_COMPLETION = (
    errors.NotFound,
    errors.UploadIncomplete,
    errors.TooLarge,
    errors.UnsupportedType,
    errors.CorruptImage,
    errors.TooManyPixels,
    errors.TooManyFrames,
    errors.ChecksumMismatch,
    errors.Busy,
)


def _in_parts(upload: Upload) -> PartsView:
    assert upload.part_size is not None  # noqa: S101  without a permit it comes in parts
    return PartsView(
        id=upload.name,
        part_size=upload.part_size,
        parts=upload.parts,
        expires_at=upload.expires_at,
    )


def _fields(permit: Permit) -> dict[str, Any]:
    return {
        "method": permit.method,
        "url": permit.url,
        "headers": dict(permit.headers),
        "expires_at": permit.expires_at,
    }


def _json(view: object, *, status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(view),
        status_code=status,
        media_type="application/json",
        headers=_NOT_KEPT,
    )

"""The routes of direct uploads: reserve, sign, complete and abort. The bytes go to the bucket."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from safelight import errors
from safelight.dates import parse_modified_at
from safelight.library import AddResult, Library
from safelight.models import Caption, Upload
from safelight.signing.uploads import PresignedRequest
from safelight.web.api import openapi
from safelight.web.api.photo_json import PhotoSerializer
from safelight.web.api.routing import owner_of
from safelight.web.api.schemas import (
    ExistingRequest,
    PartsView,
    PermitView,
    PhotoView,
    PutView,
    SignRequest,
    UploadRequest,
)
from safelight.web.hosts import link_endpoint
from safelight.web.http.body import read_json
from safelight.web.http.paths import public_path

_ACCESS = (errors.Unauthenticated, errors.ForbiddenOrigin)
_BODY = (
    errors.InvalidRequest,
    errors.UnsupportedType,
    errors.RequestTimeout,
    errors.TooLarge,
)
_UNAVAILABLE = (errors.CatalogUnavailable, errors.StorageUnavailable)
_NO_STORE = {"Cache-Control": "no-store"}


class UploadCalls:
    """The handlers. The router's dependency has stored the owner of each request."""

    def __init__(self, library: Library, serializer: PhotoSerializer) -> None:
        self._library = library
        self._serializer = serializer

    def register(self, router: APIRouter) -> None:
        """Add a route for each handler."""
        one = "/uploads/{upload_id}"
        router.add_api_route(
            "/uploads",
            self.begin,
            methods=["POST"],
            status_code=201,
            summary="Reserve an upload directly to the bucket",
            openapi_extra=openapi.json_request("UploadRequest"),
            responses={
                200: openapi.with_headers(
                    openapi.response(
                        "The existing photo with the same bytes, unchanged", PhotoView
                    ),
                    "Location",
                ),
                201: openapi.response("The reserved upload", PutView, PartsView),
                **openapi.problems(
                    *_ACCESS,
                    *_BODY,
                    errors.EmptyFile,
                    errors.TooManyUploads,
                    *_UNAVAILABLE,
                ),
            },
            response_class=Response,
        )
        router.add_api_route(
            "/uploads/existing",
            self.existing,
            methods=["POST"],
            summary="Find out which files need not be sent",
            openapi_extra=openapi.json_request("ExistingRequest"),
            responses={
                200: openapi.response("The photos with these bytes, in any order", list[PhotoView]),
                **openapi.problems(*_ACCESS, *_BODY, errors.CatalogUnavailable),
            },
            response_class=Response,
        )
        router.add_api_route(
            f"{one}/sign",
            self.sign,
            methods=["POST"],
            summary="Sign a step of a multipart upload",
            openapi_extra=openapi.json_request("SignRequest"),
            responses={
                200: openapi.response("The signed request to send to the bucket", PermitView),
                **openapi.problems(*_ACCESS, errors.NotFound, *_BODY, *_UNAVAILABLE),
            },
            response_class=Response,
        )
        router.add_api_route(
            f"{one}/complete",
            self.complete,
            methods=["POST"],
            status_code=201,
            summary="Complete an upload and add its photo",
            responses={
                200: openapi.with_headers(
                    openapi.response(
                        "The existing photo with the same bytes, unchanged", PhotoView
                    ),
                    "Location",
                ),
                201: openapi.with_headers(openapi.response("The new photo", PhotoView), "Location"),
                **openapi.problems(*_ACCESS, *_COMPLETION, *_UNAVAILABLE, errors.StorageFull),
            },
            response_class=Response,
        )
        router.add_api_route(
            one,
            self.abort,
            methods=["DELETE"],
            status_code=204,
            summary="Abort an upload and delete its data",
            responses=openapi.problems(*_ACCESS, errors.NotFound, errors.CatalogUnavailable),
        )

    async def begin(self, request: Request) -> Response:
        """Reserve an upload."""
        body = await read_json(request, UploadRequest, self._library.limits)
        started = await self._library.uploads.begin(
            owner_of(request),
            size=body.size,
            content_type=body.content_type,
            caption=Caption(title=body.title, description=body.description, filename=body.filename),
            sha256=body.sha256,
            modified_at=parse_modified_at(body.modified_at) if body.modified_at else None,
            in_parts=body.multipart,
            endpoint=link_endpoint(request, self._library),
        )
        if isinstance(started, AddResult):
            return self._added(request, started)
        if started.request is None:
            return _json(_in_parts(started.upload), status=201)
        return _json(PutView(id=started.upload.upload_id, **_fields(started.request)), status=201)

    async def existing(self, request: Request) -> Response:
        """Return the photos that the owner has of some bytes."""
        body = await read_json(request, ExistingRequest, self._library.limits)
        photos = await self._library.uploads.existing(owner_of(request), body.sha256)
        return self._serializer.respond_all(request, photos)

    async def sign(self, request: Request, upload_id: str) -> Response:
        """Sign a step of a multipart upload."""
        body = await read_json(request, SignRequest, self._library.limits)
        signed = await self._library.uploads.sign(
            owner_of(request),
            upload_id,
            body.operation,
            part_number=body.part_number,
            s3_upload_id=body.upload_id,
            endpoint=link_endpoint(request, self._library),
        )
        return _json(PermitView(**_fields(signed)))

    async def complete(self, request: Request, upload_id: str) -> Response:
        """Complete an upload and add its photo."""
        return self._added(
            request, await self._library.uploads.complete(owner_of(request), upload_id)
        )

    async def abort(self, request: Request, upload_id: str) -> Response:
        """Abort an upload and delete its data."""
        await self._library.uploads.abort(owner_of(request), upload_id)
        return Response(status_code=204)

    def _added(self, request: Request, added: AddResult) -> Response:
        """Return the same response as a form upload."""
        above = public_path(request.scope).rstrip("/").rpartition("/uploads")[0]
        return self._serializer.respond(
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
    assert upload.part_size is not None
    return PartsView(
        id=upload.upload_id,
        part_size=upload.part_size,
        parts=upload.parts,
        expires_at=upload.expires_at,
    )


def _fields(signed: PresignedRequest) -> dict[str, Any]:
    return {
        "method": signed.method,
        "url": signed.url,
        "headers": dict(signed.headers),
        "expires_at": signed.expires_at,
    }


def _json(view: object, *, status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(view),
        status_code=status,
        media_type="application/json",
        headers=_NO_STORE,
    )

"""Whether the service lives, and whether it can do its work."""

from fastapi import APIRouter, Response

from safelight import errors
from safelight.library import Library
from safelight.web import schema
from safelight.web.photos import ProblemRoute


def health_router(library: Library) -> APIRouter:
    """Make the router of ``/healthz`` and ``/readyz``; they ask nobody who they are."""
    router = APIRouter(tags=["health"], route_class=ProblemRoute)

    @router.get("/healthz", summary="The process answers", response_class=Response)
    async def healthz() -> Response:
        return _fine()

    @router.get(
        "/readyz",
        summary="PostgreSQL and S3 answer",
        response_class=Response,
        responses=schema.problems(errors.CatalogUnavailable, errors.StorageUnavailable),
    )
    async def readyz() -> Response:
        await library.ready()
        return _fine()

    return router


def _fine() -> Response:
    return Response(
        b'{"status":"ok"}', media_type="application/json", headers={"Cache-Control": "no-store"}
    )

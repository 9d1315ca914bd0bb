"""Whether the service lives, and whether it can do its work."""

import asyncio
import time

from fastapi import APIRouter, Response

from safelight import errors
from safelight.library import Library
from safelight.web import schema
from safelight.web.farewell import Farewell
from safelight.web.photos import ProblemRoute

_FRESH = 0.2
"""Seconds."""


def health_router(library: Library, farewell: Farewell) -> APIRouter:
    """Make the router of ``/healthz`` and ``/readyz``; they ask nobody who they are."""
    router = APIRouter(tags=["health"], route_class=ProblemRoute)

    probe = _Probe(library)

    @router.get(
        "/healthz",
        summary="The process answers",
        response_class=Response,
        responses={200: schema.fine_answer("It does")},
    )
    async def healthz() -> Response:
        return _fine()

    @router.get(
        "/readyz",
        summary="PostgreSQL and S3 answer, and this process isn't about to end",
        response_class=Response,
        responses={
            200: schema.fine_answer("They do, and it isn't"),
            **schema.problems(errors.CatalogUnavailable, errors.StorageUnavailable, errors.Busy),
        },
    )
    async def readyz() -> Response:
        if farewell.begun:
            raise errors.Busy("This process is about to end: ask another one.")
        await probe.ready()
        return _fine()

    return router


class _Probe:
    """One question to the engines at a time, and its answer for everybody for a moment."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._asked: asyncio.Task[None] | None = None
        self._fresh_until = 0.0

    async def ready(self) -> None:
        """Return if both engines answer, or did less than _FRESH ago."""
        now = time.monotonic()
        if self._asked is None or (self._asked.done() and now >= self._fresh_until):
            self._asked = asyncio.create_task(self._ask())
        await asyncio.shield(self._asked)

    async def _ask(self) -> None:
        try:
            await self._library.ready()
        finally:
            self._fresh_until = time.monotonic() + _FRESH


def _fine() -> Response:
    return Response(
        b'{"status":"ok"}', media_type="application/json", headers={"Cache-Control": "no-store"}
    )

"""The routes ``/healthz`` and ``/readyz``."""

import asyncio
import time
from typing import Final

from fastapi import APIRouter, Response

from safelight import errors
from safelight.library import Library
from safelight.web.api import openapi
from safelight.web.middleware.exchange import Drain

HEALTH_PATHS: Final = ("/healthz", "/readyz")
"""Answered for any Host: load balancers and container runtimes use addresses of their own."""

_FRESH = 0.2
"""Seconds for which a result is shared."""

_OK = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string", "const": "ok"}},
}


def health_router(library: Library, drain: Drain) -> APIRouter:
    """Make the router of ``/healthz`` and ``/readyz``, which need no authentication."""
    router = APIRouter(tags=["health"])

    probe = _Probe(library)

    @router.get(
        "/healthz",
        summary="Check that the process is alive",
        response_class=Response,
        responses={200: openapi.response("The process is alive", _OK)},
    )
    async def healthz() -> Response:
        return _ok()

    @router.get(
        "/readyz",
        summary="Check that uploads can be stored, and that this process isn't shutting down",
        response_class=Response,
        responses={
            200: openapi.response("The service is ready", _OK),
            **openapi.problems(errors.CatalogUnavailable, errors.StorageUnavailable, errors.Busy),
        },
    )
    async def readyz() -> Response:
        if drain.begun:
            raise errors.Busy("This process is shutting down. Use another one.")
        await probe.check()
        return _ok()

    return router


class _Probe:
    """Checks the engines, one check at a time, and shares its result for _FRESH seconds."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._task: asyncio.Task[None] | None = None
        self._fresh_until = 0.0

    async def check(self) -> None:
        """Raise Unavailable unless uploads can be stored, or could less than _FRESH seconds ago."""
        # That the embedded store has ended is known at once, whatever the last result was.
        self._library.backends.bucket.require_running()
        now = time.monotonic()
        if self._task is None or (self._task.done() and now >= self._fresh_until):
            self._task = asyncio.create_task(self._run_check())
        await asyncio.shield(self._task)

    async def _run_check(self) -> None:
        try:
            await self._library.ready()
        finally:
            self._fresh_until = time.monotonic() + _FRESH


def _ok() -> Response:
    return Response(
        b'{"status":"ok"}', media_type="application/json", headers={"Cache-Control": "no-store"}
    )

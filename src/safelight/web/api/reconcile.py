"""The router of ``/reconcile``: compare rows with objects, and stream the findings."""

import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import StreamingResponse

from safelight import errors
from safelight.errors import SafelightError
from safelight.library import Library
from safelight.library.reconcile.findings import Finding, Progress, ReconcileOptions
from safelight.web.api import openapi
from safelight.web.api.monitoring.schemas import (
    FindingView,
    ReconcileErrorView,
    ReconcileLineView,
    ReconcileProgressView,
)
from safelight.web.auth.auth import Authenticator
from safelight.web.security_log import SecurityEvent, log_security_event

MEDIA_TYPE: Final = "application/x-ndjson"
_ACCESS = (errors.Unauthenticated, errors.ForbiddenOrigin, errors.TooManyAttempts)
_PROGRESS_INTERVAL: Final = 0.5
"""Seconds between two progress lines."""
_MAX_GRACE: Final = 366 * 24 * 3600


def reconciliation_router(library: Library, authenticator: Authenticator) -> APIRouter:
    """Make the router of ``/reconcile``, for operators: it covers the photos of all owners."""
    router = APIRouter(tags=["reconcile"], dependencies=[Depends(authenticator)])

    @router.post(
        "/reconcile",
        summary="Compare rows with objects, and repair discrepancies with `apply`",
        response_class=Response,
        responses={
            200: openapi.response(
                "One line per finding, and progress lines; the last line is a `tally` that is"
                " `done`, or an `error`",
                ReconcileLineView,
                media_type=MEDIA_TYPE,
            ),
            **openapi.problems(
                *_ACCESS,
                errors.InvalidRequest,
                errors.CatalogUnavailable,
                errors.StorageUnavailable,
                errors.StorageFull,
            ),
        },
    )
    async def reconcile(
        request: Request,
        apply: Annotated[bool, Query(description="Repair discrepancies where possible")] = False,  # noqa: FBT002  FastAPI passes it by name
        verify: Annotated[bool, Query(description="Read and compare every original")] = False,  # noqa: FBT002  the same
        grace: Annotated[
            int,
            Query(
                ge=0,
                le=_MAX_GRACE,
                description="Leave alone what is younger than this many seconds",
            ),
        ] = 24 * 3600,
        undo: Annotated[bool, Query(description="Restore objects from quarantine")] = False,  # noqa: FBT002  the same
    ) -> Response:
        reconciler = library.reconciler
        if undo:
            events = reconciler.undo(apply=apply)
        else:
            options = ReconcileOptions(apply=apply, verify=verify, grace=timedelta(seconds=grace))
            events = reconciler.run(options)
        if apply:
            log_security_event(request, SecurityEvent.RECONCILE_APPLIED)
        first = await anext(events)  # an unavailable engine becomes a 503, not a broken stream
        return StreamingResponse(
            _lines(first, events), media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"}
        )

    return router


async def _lines(
    first: Finding | Progress, others: AsyncIterator[Finding | Progress]
) -> AsyncIterator[bytes]:
    sent_at = 0.0
    try:
        yield _line(first)
        async for event in others:
            if isinstance(event, Progress) and not event.done:
                if time.monotonic() < sent_at + _PROGRESS_INTERVAL:
                    continue
                sent_at = time.monotonic()
            yield _line(event)
    except SafelightError as error:
        broken = ReconcileErrorView(code=error.code, detail=str(error))
        yield msgspec.json.encode(ReconcileLineView(error=broken)) + b"\n"


def _line(event: Finding | Progress) -> bytes:
    if isinstance(event, Progress):
        view = ReconcileLineView(tally=ReconcileProgressView(**asdict(event)))
    else:
        view = ReconcileLineView(finding=FindingView(**asdict(event)))
    return msgspec.json.encode(view) + b"\n"

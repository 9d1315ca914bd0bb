"""The call that compares rows with objects, and tells what it finds while it goes on."""

import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from starlette.responses import StreamingResponse

from safelight import errors
from safelight.errors import SafelightError
from safelight.library import Library
from safelight.library.findings import Finding, Plan, Tally
from safelight.web import schema
from safelight.web.photos import ProblemRoute
from safelight.web.told import BrokenOffView, FindingView, TallyView, ToldView
from safelight.web.visitors import Visitors

MEDIA_TYPE: Final = "application/x-ndjson"
_WHO = (errors.Unauthenticated, errors.ForbiddenOrigin, errors.TooManyAttempts)
_TELL_EACH: Final = 0.5
"""Seconds between two lines that tell how far it is."""
_MAX_GRACE: Final = 366 * 24 * 3600


def reconciliation_router(library: Library, visitors: Visitors) -> APIRouter:
    """Make the router of ``/reconcile``. It is for operators: it tells of everybody's photos."""
    router = APIRouter(
        tags=["reconcile"], route_class=ProblemRoute, dependencies=[Depends(visitors)]
    )

    @router.post(
        "/reconcile",
        summary="Compare rows with objects, and put right what differs if `apply` says so",
        response_class=Response,
        responses={
            200: schema.told_answer(
                "A line for each finding, and for how far it is; the last is a tally that is"
                " `done`, or an `error`"
            ),
            **schema.problems(
                *_WHO,
                errors.InvalidRequest,
                errors.CatalogUnavailable,
                errors.StorageUnavailable,
                errors.StorageFull,
            ),
        },
    )
    async def reconcile(
        apply: Annotated[bool, Query(description="Put right what can be")] = False,  # noqa: FBT002  FastAPI passes it by name
        verify: Annotated[bool, Query(description="Read and compare every original")] = False,  # noqa: FBT002  the same
        grace: Annotated[
            int, Query(ge=0, le=_MAX_GRACE, description="Seconds: what is younger is left alone")
        ] = 24 * 3600,
        undo: Annotated[bool, Query(description="Put back what lies in quarantine")] = False,  # noqa: FBT002  the same
    ) -> Response:
        reconciler = library.reconciler
        if undo:
            told = reconciler.undo(apply=apply)
        else:
            plan = Plan(apply=apply, verify=verify, grace=timedelta(seconds=grace))
            told = reconciler.run(plan)
        first = await anext(told)  # an engine that is away is a 503, and no broken answer
        return StreamingResponse(
            _lines(first, told), media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"}
        )

    return router


async def _lines(
    first: Finding | Tally, others: AsyncIterator[Finding | Tally]
) -> AsyncIterator[bytes]:
    told_at = 0.0
    try:
        yield _line(first)
        async for told in others:
            if isinstance(told, Tally) and not told.done:
                if time.monotonic() < told_at + _TELL_EACH:
                    continue
                told_at = time.monotonic()
            yield _line(told)
    except SafelightError as error:
        broken = BrokenOffView(code=error.code, detail=str(error))
        yield msgspec.json.encode(ToldView(error=broken)) + b"\n"


def _line(told: Finding | Tally) -> bytes:
    if isinstance(told, Tally):
        view = ToldView(tally=TallyView(**asdict(told)))
    else:
        view = ToldView(finding=FindingView(**asdict(told)))
    return msgspec.json.encode(view) + b"\n"

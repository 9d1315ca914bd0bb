"""The calls on jobs: what is still to be done, and what has failed."""

from dataclasses import asdict
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response

from safelight import errors
from safelight.errors import NotFound
from safelight.library import Library
from safelight.web import schema
from safelight.web.photos import ProblemRoute, WrittenId, photo_id
from safelight.web.shapes import JobsView, JobView, UndevelopedView
from safelight.web.visitors import Visitors

_WHO = (errors.Unauthenticated, errors.ForbiddenOrigin, errors.TooManyAttempts)
_PRIVATE = {"Cache-Control": "no-store"}
_STORABLE = r"^[^\x00]*$"
"""PostgreSQL refuses a text with a NUL, and fails the statement."""


def job_router(library: Library, visitors: Visitors) -> APIRouter:
    """Make the router of ``/jobs``."""
    router = APIRouter(tags=["jobs"], route_class=ProblemRoute, dependencies=[Depends(visitors)])

    @router.get(
        "/jobs",
        summary="Tell which jobs wait, are late, run or have failed",
        response_class=Response,
        responses={
            200: schema.jobs_answer("How many there are, and the oldest of them"),
            **schema.problems(*_WHO, errors.InvalidRequest, errors.CatalogUnavailable),
        },
    )
    async def jobs(
        task: Annotated[
            str | None, Query(pattern=_STORABLE, description="Tell of this task alone")
        ] = None,
    ) -> Response:
        found = await library.jobs(task=task)
        oldest = [JobView(**asdict(job)) for job in found.oldest]
        return _json(JobsView(**found.counts, oldest=oldest))

    @router.post(
        "/renditions/missing",
        summary="Have the renditions made that photos lack, a batch of photos at a time",
        response_class=Response,
        responses={
            200: schema.undeveloped_answer("How many photos lacked some, and where to go on"),
            **schema.problems(*_WHO, errors.InvalidRequest, errors.CatalogUnavailable),
        },
    )
    async def develop(
        owner: Annotated[str, Depends(visitors)],
        after: Annotated[
            int, Query(ge=0, le=2**63 - 1, description="The `next` of the batch before")
        ] = 0,
    ) -> Response:
        found = await library.develop_missing(owner, after=after)
        return _json(UndevelopedView(photos=found.photos, next=found.next))

    @router.post(
        "/jobs/retry",
        summary="Repeat all jobs that have failed; gives their ids",
        response_class=Response,
        responses={
            200: schema.ids_answer("The ids of the jobs that will be done again"),
            **schema.problems(*_WHO, errors.CatalogUnavailable),
        },
    )
    async def retry_all() -> Response:
        return _json(await library.retry_jobs())

    @router.post(
        "/jobs/{job_id}/retry",
        status_code=204,
        summary="Repeat a job that has failed",
        responses=schema.problems(*_WHO, NotFound, errors.CatalogUnavailable),
    )
    async def retry(job_id: WrittenId) -> Response:
        if not await library.retry_jobs([photo_id(job_id)]):
            raise NotFound("There is no such job that has failed.")
        return Response(status_code=204)

    return router


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", headers=_PRIVATE)

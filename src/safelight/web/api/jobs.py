"""The router of ``/jobs``: list and retry background jobs."""

from dataclasses import asdict
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response

from safelight import errors
from safelight.errors import NotFound
from safelight.library import Library
from safelight.web.api import openapi
from safelight.web.api.routing import PathId, parse_id
from safelight.web.api.schemas import JobBatchView, JobsView, JobView, PrunedBatchView
from safelight.web.auth.auth import Authenticator

_ACCESS = (errors.Unauthenticated, errors.ForbiddenOrigin, errors.TooManyAttempts)
_PRIVATE = {"Cache-Control": "no-store"}
_STORABLE = r"^[^\x00]*$"
"""PostgreSQL rejects text that contains NUL."""


def job_router(library: Library, authenticator: Authenticator) -> APIRouter:
    """Make the router of ``/jobs``."""
    router = APIRouter(tags=["jobs"], dependencies=[Depends(authenticator)])

    @router.get(
        "/jobs",
        summary="Count jobs by state, and list the oldest",
        response_class=Response,
        responses={
            200: openapi.response("The counts by state, and the oldest jobs", JobsView),
            **openapi.problems(*_ACCESS, errors.InvalidRequest, errors.CatalogUnavailable),
        },
    )
    async def jobs(
        task: Annotated[
            str | None, Query(pattern=_STORABLE, description="Only jobs of this task")
        ] = None,
    ) -> Response:
        jobs_found = await library.jobs.list(task=task)
        oldest = [JobView(**asdict(job)) for job in jobs_found.oldest]
        return _json(JobsView(**jobs_found.counts, oldest=oldest))

    @router.post(
        "/renditions/missing",
        summary="Enqueue missing renditions, for one batch of photos",
        response_class=Response,
        responses={
            200: openapi.response(
                "The number of photos that lacked renditions, and where the next batch starts",
                JobBatchView,
            ),
            **openapi.problems(*_ACCESS, errors.InvalidRequest, errors.CatalogUnavailable),
        },
    )
    async def render_missing(
        owner: Annotated[str, Depends(authenticator)],
        after: Annotated[
            int, Query(ge=0, le=2**63 - 1, description="The `next` of the previous batch")
        ] = 0,
        *,
        demanded: Annotated[bool, Query(description="Also those that are made on demand")] = False,
    ) -> Response:
        batch = await library.render_missing(owner, after=after, demanded=demanded)
        return _json(JobBatchView(photos=batch.photos, next=batch.next))

    @router.post(
        "/renditions/prune",
        summary="Remove renditions that no preset names, from one batch of photos",
        response_class=Response,
        responses={
            200: openapi.response(
                "The number of photos and renditions, of the photos that were skipped since they"
                " lack others, and where the next batch starts",
                PrunedBatchView,
            ),
            **openapi.problems(
                *_ACCESS,
                errors.InvalidRequest,
                errors.CatalogUnavailable,
                errors.StorageUnavailable,
            ),
        },
    )
    async def prune(
        owner: Annotated[str, Depends(authenticator)],
        after: Annotated[
            int, Query(ge=0, le=2**63 - 1, description="The `next` of the previous batch")
        ] = 0,
        *,
        apply: Annotated[bool, Query(description="Remove them, instead of counting them")] = False,
    ) -> Response:
        batch = await library.prune_renditions(owner, after=after, apply=apply)
        return _json(PrunedBatchView(**asdict(batch)))

    @router.post(
        "/reinspections",
        summary="Enqueue photos that an earlier version inspected, for one batch",
        response_class=Response,
        responses={
            200: openapi.response(
                "The number of photos that will be inspected again, and where the next batch"
                " starts",
                JobBatchView,
            ),
            **openapi.problems(*_ACCESS, errors.InvalidRequest, errors.CatalogUnavailable),
        },
    )
    async def reinspect(
        owner: Annotated[str, Depends(authenticator)],
        after: Annotated[
            int, Query(ge=0, le=2**63 - 1, description="The `next` of the previous batch")
        ] = 0,
    ) -> Response:
        batch = await library.reinspect_outdated(owner, after=after)
        return _json(JobBatchView(photos=batch.photos, next=batch.next))

    @router.post(
        "/jobs/retry",
        summary="Retry all failed jobs, and return their ids",
        response_class=Response,
        responses={
            200: openapi.response("The ids of the jobs that will be retried", list[int]),
            **openapi.problems(*_ACCESS, errors.CatalogUnavailable),
        },
    )
    async def retry_all() -> Response:
        return _json(await library.jobs.retry())

    @router.post(
        "/jobs/{job_id}/retry",
        status_code=204,
        summary="Retry a failed job",
        responses=openapi.problems(*_ACCESS, NotFound, errors.CatalogUnavailable),
    )
    async def retry(job_id: PathId) -> Response:
        if not await library.jobs.retry([parse_id(job_id, "job")]):
            raise NotFound("There is no such job.")
        return Response(status_code=204)

    return router


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", headers=_PRIVATE)

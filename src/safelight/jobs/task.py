"""Tasks, and the backoff of failed jobs."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from safelight.errors import Invalid

QUEUE: Final = "safelight"
"""The name of our queue: a host application may use the same tables."""

REQUEST_ID: Final = "request_id"
"""A job's argument with the id of the request that caused it. It is not passed to the task, and
jobs that differ only in it are the same."""

RETRY_DELAYS: Final = (2, 4, 8, 15, 30, 60, 120, 300, 600, 900)
"""Seconds before each retry of a failed job. After the last one it stays failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Named work, called with the job's arguments. It must be idempotent: it may run twice.

    A job that raises Invalid isn't retried. A task with `cron` runs at these times, once for all
    processes and never twice at a time; it isn't retried, since it runs again anyway. Other tasks
    run when they are enqueued.
    """

    name: str
    work: Callable[..., Awaitable[object]]
    cron: str | None = None

    @property
    def full_name(self) -> str:
        """The name in Procrastinate's tables."""
        return f"{QUEUE}.{self.name}"


class Backoff(BaseRetryStrategy):
    """Retries with growing delays; a job interrupted by the worker's shutdown at once."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when to retry; None for never."""
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})
        if isinstance(exception, Invalid):
            return None  # the same bytes would give the same result
        if job.lock is not None or job.attempts >= len(RETRY_DELAYS):
            return None
        return RetryDecision(retry_in={"seconds": RETRY_DELAYS[job.attempts]})

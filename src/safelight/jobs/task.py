"""What a job does, and when it is tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from safelight.errors import Invalid

QUEUE: Final = "safelight"
"""The name of our queue: a host application's jobs may lie in the same tables."""

REQUEST_ID: Final = "request_id"
"""The name, in a job's arguments, of the request that it follows from; the task isn't told, and
two jobs that differ in it alone are the same."""

PAUSES: Final = (2, 4, 8, 15, 30, 60, 120, 300, 600, 900)
"""Seconds before each new try of a job that failed. After the last it is kept as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Work with a name. It may run twice, so it does no harm then.

    It is called with what the job is about, by keyword. What raises Invalid isn't tried again.

    `cron` has it run by itself, once in the whole fleet, and never two at a time; it isn't tried
    again then, since its next time comes anyway. None: it runs when it is enqueued.
    """

    name: str
    work: Callable[..., Awaitable[object]]
    cron: str | None = None

    @property
    def full_name(self) -> str:
        """The name as Procrastinate knows it."""
        return f"{QUEUE}.{self.name}"


class GrowingPauses(BaseRetryStrategy):
    """Try again after longer and longer; what was interrupted by the worker's end, at once."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Say when; None is never."""
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})
        if isinstance(exception, Invalid):
            return None  # the same bytes would give the same answer
        if job.lock is not None or job.attempts >= len(PAUSES):
            return None
        return RetryDecision(retry_in={"seconds": PAUSES[job.attempts]})

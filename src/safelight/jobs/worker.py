"""The worker, which runs jobs."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import ProcrastinateException
from procrastinate.jobs import Job
from psycopg import AsyncConnection, Error
from psycopg_pool import PoolTimeout

from safelight import tracing
from safelight.jobs.task import QUEUE, REQUEST_ID, RETRY_DELAYS, Backoff, Task

_log = logging.getLogger(__name__)
_job_log = logging.getLogger("safelight.each.job")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTimings:
    """The intervals of a worker.

    PostgreSQL notifies workers of new jobs; `polling` finds jobs that become due. A worker without
    a heartbeat for `stalled_after` counts as dead. Every `rescue_interval`, each worker puts the
    jobs of dead workers back into the queue.
    """

    polling: timedelta = timedelta(seconds=5)
    heartbeat: timedelta = timedelta(seconds=10)
    stalled_after: timedelta = timedelta(seconds=30)
    rescue_interval: timedelta = timedelta(seconds=15)
    grace: timedelta = timedelta(seconds=1)
    """How long running jobs may take at shutdown; after that they go back into the queue."""


DEFAULT = WorkerTimings()

_CONCURRENCY: Final = 4
_RESTART_DELAYS: Final = (0.5, 1.0, 2.0, 5.0)
"""Seconds before a worker that lost the database reconnects."""
_STABLE_SECONDS: Final = 60.0
"""A worker that ran for longer than this restarts with the first delay."""

_RESCUE: Final = """
    UPDATE procrastinate_jobs SET
      status = (CASE WHEN attempts < %(max_attempts)s THEN 'todo' ELSE 'failed' END)
        ::procrastinate_job_status,
      attempts = attempts + 1, scheduled_at = now(), worker_id = NULL, queueing_lock = NULL,
      abort_requested = false
    WHERE id IN (
      SELECT job.id FROM procrastinate_jobs job
      LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
      WHERE job.status = 'doing' AND job.queue_name = %(queue)s
        AND (worker.id IS NULL
          OR worker.last_heartbeat < now() - make_interval(secs => %(seconds)s))
      FOR UPDATE OF job SKIP LOCKED)
    RETURNING id
"""


class Worker:
    """Runs the jobs of our queue. `conninfo` is the connection string of the database."""

    def __init__(
        self, conninfo: str, tasks: Sequence[Task], *, timings: WorkerTimings | None = None
    ) -> None:
        self._conninfo = conninfo
        self._tasks = tasks
        self._timings = timings or DEFAULT

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run jobs during the context; then finish those that are running, or put them back."""
        ending, opened = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(self._run_until(ending, opened))
        try:
            yield
        finally:
            ending.set()
            # A pool that is still connecting would ignore the cancellation.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(opened.wait(), 2)
            task.cancel()
            # It would wait for a database that hangs.
            await asyncio.wait({task}, timeout=self._timings.grace.total_seconds() + 1)

    async def run_due(self) -> None:
        """Run the jobs that are due, and return."""
        app = self._app()
        async with app.open_async():
            await self._run(app, wait=False)

    async def _run_until(self, ending: asyncio.Event, opened: asyncio.Event) -> None:
        failures = 0
        while not ending.is_set():
            started_at = asyncio.get_running_loop().time()
            try:
                app = self._app()
                async with app.open_async():
                    opened.set()
                    await self._work(app)
            except (ProcrastinateException, PoolTimeout, Error, OSError) as error:
                _log.warning(
                    "the worker lost its database connection and will reconnect: %s", error
                )
            except Exception:  # noqa: BLE001  the worker must restart after any error
                _log.exception("the worker failed")
            seconds = asyncio.get_running_loop().time() - started_at
            failures = (
                0 if seconds > _STABLE_SECONDS else min(failures + 1, len(_RESTART_DELAYS) - 1)
            )
            await asyncio.sleep(_RESTART_DELAYS[failures])

    async def _work(self, app: App) -> None:
        rescue = asyncio.create_task(self._rescue_stalled_jobs(app))
        try:
            await self._run(app, wait=True)
        finally:
            rescue.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await rescue

    async def _run(self, app: App, *, wait: bool) -> None:
        await app.run_worker_async(
            queues=[QUEUE],
            concurrency=_CONCURRENCY,
            wait=wait,
            fetch_job_polling_interval=self._timings.polling.total_seconds(),
            abort_job_polling_interval=3600.0,  # we never abort jobs
            update_heartbeat_interval=self._timings.heartbeat.total_seconds(),
            stalled_worker_timeout=self._timings.stalled_after.total_seconds(),
            shutdown_graceful_timeout=self._timings.grace.total_seconds(),
            delete_jobs="successful",
            install_signal_handlers=False,
        )

    async def _rescue_stalled_jobs(self, app: App) -> None:
        """Put the jobs of dead workers back into the queue."""
        while True:
            try:
                rescued = await app.connector.execute_query_all_async(
                    _RESCUE,
                    queue=QUEUE,
                    max_attempts=len(RETRY_DELAYS),
                    seconds=self._timings.stalled_after.total_seconds(),
                )
                if rescued:
                    _log.warning(
                        "put %d stalled jobs of a dead worker back into the queue", len(rescued)
                    )
            except (ProcrastinateException, PoolTimeout) as error:
                _log.warning("can't rescue stalled jobs: %s", error)
            await asyncio.sleep(self._timings.rescue_interval.total_seconds())

    def _app(self) -> App:
        connector = PsycopgConnector(
            conninfo=self._conninfo,
            min_size=1,
            max_size=_CONCURRENCY + 1,
            timeout=10.0,
            kwargs={"connect_timeout": 5, "application_name": "safelight worker"},
            configure=_configure_session,
        )
        app = App(connector=connector)
        for task in self._tasks:
            _register(app, task)
        return app


async def _configure_session(connection: AsyncConnection[Any]) -> None:
    """Set what PgBouncer refuses as options of the connection."""
    await connection.execute("SET statement_timeout = '30s'; SET timezone = 'UTC'")
    await connection.commit()


def _register(app: App, task: Task) -> None:
    lock = task.full_name if task.cron else None
    registered = app.task(
        name=task.full_name,
        queue=QUEUE,
        lock=lock,
        queueing_lock=lock,
        retry=Backoff(),
        pass_context=True,
    )(_callable(task))
    if task.cron:
        app.periodic(cron=task.cron)(registered)


def _callable(task: Task) -> Callable[..., Coroutine[Any, Any, None]]:
    async def work(context: JobContext, **args: object) -> None:
        origin = args.pop(REQUEST_ID, None)
        # Each job is an asyncio task: the variables are set for this job only.
        tracing.request_id.set(str(origin) if origin else None)
        tracing.in_background.set(True)
        with _logged(task, context.job):
            await task.work(**({} if task.cron else args))  # cron jobs get their time

    return work


@contextmanager
def _logged(task: Task, job: Job) -> Iterator[None]:
    """Log a job when it ends, and record a span for it."""
    started_at, outcome = time.monotonic(), "interrupted"
    attributes: dict[str, str | int] = {
        "task": task.name,
        "job": job.id or 0,
        "tries": job.attempts,
    }
    try:
        with tracing.span(f"job {task.name}", **attributes):
            yield
        outcome = "done"
    except Exception as error:
        outcome = f"failed by {type(error).__name__}"
        raise
    finally:
        seconds = round(time.monotonic() - started_at, 4)
        _job_log.info("job", extra={"facts": attributes | {"outcome": outcome, "seconds": seconds}})

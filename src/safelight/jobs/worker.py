"""A worker: takes jobs and does them, for as long as it runs."""

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
from psycopg import Error
from psycopg_pool import PoolTimeout
from sqlalchemy import make_url

from safelight import trail
from safelight.jobs.task import PAUSES, QUEUE, REQUEST_ID, GrowingPauses, Task

_log = logging.getLogger(__name__)
_each = logging.getLogger("safelight.each.job")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a worker looks around.

    New jobs are told at once; `polling` finds those whose time has come. A worker that gave no
    sign for `given_up` is taken for dead, and who looks `looking` takes up what it held.
    """

    polling: timedelta = timedelta(seconds=5)
    heartbeat: timedelta = timedelta(seconds=10)
    given_up: timedelta = timedelta(seconds=30)
    looking: timedelta = timedelta(seconds=15)
    grace: timedelta = timedelta(seconds=1)
    """What jobs under way may take at the end; after that they are handed back."""


DEFAULT = Pace()

_AT_ONCE: Final = 4
_AGAIN: Final = (0.5, 1.0, 2.0, 5.0)
"""Seconds before a worker that lost the database tries again."""
_LONG_ENOUGH: Final = 60.0
"""Seconds that it has to work for its next failure to count as its first."""

_TAKE_UP: Final = """
    UPDATE procrastinate_jobs SET
      status = (CASE WHEN attempts < %(most)s THEN 'todo' ELSE 'failed' END)
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
    """Does the jobs of our queue. `url` is PostgreSQL's, as SQLAlchemy takes it."""

    def __init__(self, url: str, tasks: Sequence[Task], *, pace: Pace | None = None) -> None:
        self._conninfo = make_url(url).set(drivername="postgresql").render_as_string(False)  # noqa: FBT003  it takes it so
        self._tasks = tasks
        self._pace = pace or DEFAULT

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work for as long as the context lasts; then finish what is under way, or hand it back."""
        ending, opened = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(self._for_ever(ending, opened))
        try:
            yield
        finally:
            ending.set()
            # A pool that is still connecting takes a cancellation for a failure, and goes on.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(opened.wait(), 2)
            task.cancel()
            # A database that hangs would be waited for.
            await asyncio.wait({task}, timeout=self._pace.grace.total_seconds() + 1)

    async def once(self) -> None:
        """Do what is due, and return."""
        app = self._app()
        async with app.open_async():
            await self._run(app, wait=False)

    async def _for_ever(self, ending: asyncio.Event, opened: asyncio.Event) -> None:
        failures = 0
        while not ending.is_set():
            began = asyncio.get_running_loop().time()
            try:
                app = self._app()
                async with app.open_async():
                    opened.set()
                    await self._work(app)
            except (ProcrastinateException, PoolTimeout, Error, OSError) as error:
                _log.warning("the worker lost the database: %s", error)
            except Exception:  # noqa: BLE001  a worker that fails must not be the last
                _log.exception("the worker failed")
            lasted = asyncio.get_running_loop().time() - began
            failures = 0 if lasted > _LONG_ENOUGH else min(failures + 1, len(_AGAIN) - 1)
            await asyncio.sleep(_AGAIN[failures])

    async def _work(self, app: App) -> None:
        watch = asyncio.create_task(self._take_up_for_ever(app))
        try:
            await self._run(app, wait=True)
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _run(self, app: App, *, wait: bool) -> None:
        await app.run_worker_async(
            queues=[QUEUE],
            concurrency=_AT_ONCE,
            wait=wait,
            fetch_job_polling_interval=self._pace.polling.total_seconds(),
            abort_job_polling_interval=3600.0,  # we abort none
            update_heartbeat_interval=self._pace.heartbeat.total_seconds(),
            stalled_worker_timeout=self._pace.given_up.total_seconds(),
            shutdown_graceful_timeout=self._pace.grace.total_seconds(),
            delete_jobs="successful",
            install_signal_handlers=False,
        )

    async def _take_up_for_ever(self, app: App) -> None:
        """Take up again what dead workers held."""
        while True:
            try:
                taken = await app.connector.execute_query_all_async(
                    _TAKE_UP,
                    queue=QUEUE,
                    most=len(PAUSES),
                    seconds=self._pace.given_up.total_seconds(),
                )
                if taken:
                    _log.warning("took up %d jobs of a worker that is gone", len(taken))
            except (ProcrastinateException, PoolTimeout) as error:
                _log.warning("jobs of dead workers are looked for later: %s", error)
            await asyncio.sleep(self._pace.looking.total_seconds())

    def _app(self) -> App:
        connector = PsycopgConnector(
            conninfo=self._conninfo,
            min_size=1,
            max_size=_AT_ONCE + 1,
            timeout=10.0,
            kwargs={
                "connect_timeout": 5,
                "options": "-c statement_timeout=30s -c timezone=UTC",
                "application_name": "safelight worker",
            },
        )
        app = App(connector=connector)
        for task in self._tasks:
            _register(app, task)
        return app


def _register(app: App, task: Task) -> None:
    lock = task.full_name if task.cron else None
    registered = app.task(
        name=task.full_name,
        queue=QUEUE,
        lock=lock,
        queueing_lock=lock,
        retry=GrowingPauses(),
        pass_context=True,
    )(_callable(task))
    if task.cron:
        app.periodic(cron=task.cron)(registered)


def _callable(task: Task) -> Callable[..., Coroutine[Any, Any, None]]:
    async def work(context: JobContext, **about: object) -> None:
        origin = about.pop(REQUEST_ID, None)
        # Each job is an asyncio task, so this ends with it.
        trail.request_id.set(str(origin) if origin else None)
        with _told(task, context.job):
            await task.work(**({} if task.cron else about))  # a periodic job is told its time

    return work


@contextmanager
def _told(task: Task, job: Job) -> Iterator[None]:
    """Have a job's line in the log, and its step in the trail."""
    began, outcome = time.monotonic(), "interrupted"
    facts: dict[str, str | int] = {"task": task.name, "job": job.id or 0, "tries": job.attempts}
    try:
        with trail.step(f"job {task.name}", **facts):
            yield
        outcome = "done"
    except Exception as error:
        outcome = f"failed by {type(error).__name__}"
        raise
    finally:
        seconds = round(time.monotonic() - began, 4)
        _each.info("job", extra={"facts": facts | {"outcome": outcome, "seconds": seconds}})

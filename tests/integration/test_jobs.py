"""Jobs: enqueued in a transaction, retried when they fail, rescued when their worker dies."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog import Catalog
from safelight.errors import CorruptImage
from safelight.jobs import (
    JobState,
    Task,
    Worker,
    WorkerTimings,
    delete_ended_jobs,
    enqueue,
    enqueue_each,
    list_jobs,
    retry_jobs,
    task,
)
from safelight.tracing import request_id

RESCUING = WorkerTimings(
    polling=timedelta(seconds=0.1),
    heartbeat=timedelta(seconds=0.2),
    stalled_after=timedelta(seconds=1),
    rescue_interval=timedelta(seconds=0.2),
    grace=timedelta(seconds=0.2),
)
QUICK = replace(RESCUING, stalled_after=timedelta(minutes=5))
"""A worker that this machine stops for a moment doesn't count as dead."""


@pytest.fixture
async def catalog(database_url: str) -> AsyncIterator[Catalog]:
    opened = Catalog(database_url)
    await opened.upgrade()
    yield opened
    await opened.close()


async def _sql(catalog: Catalog, statement: str, **values: object) -> list[Any]:
    async def work(connection: AsyncConnection) -> list[Any]:
        found = await connection.execute(text(statement), values)
        return list(found) if found.returns_rows else []

    return await catalog.transaction(work)


async def _states(catalog: Catalog) -> list[JobState]:
    return [job.state for job in (await catalog.read(list_jobs)).oldest]


async def _wait_until(holds: Callable[[], Awaitable[bool]], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, "condition not met in time"
        await asyncio.sleep(0.05)


async def _enqueue_work(catalog: Catalog, name: str = "work") -> None:
    await catalog.transaction(lambda connection: enqueue(connection, name))


class _Broken(Exception):
    pass


async def test_job_is_enqueued_when_its_transaction_commits(
    catalog: Catalog,
) -> None:
    async def broken(connection: AsyncConnection) -> None:
        await enqueue(connection, "work")
        assert await _states(catalog) == []
        raise _Broken

    with pytest.raises(_Broken):
        await catalog.transaction(broken)
    assert await _states(catalog) == []
    for _ in range(3):
        await _enqueue_work(catalog)
    assert await _states(catalog) == [JobState.WAITING], "an identical job is not enqueued twice"
    await _enqueue_work(catalog, "other")
    assert await _states(catalog) == [JobState.WAITING] * 2


async def test_waiting_job_is_not_fetched_while_a_transaction_shares_it(
    catalog: Catalog,
) -> None:
    await _enqueue_work(catalog)
    worker = (await _sql(catalog, "SELECT procrastinate_register_worker_v1()"))[0][0]
    take = f"SELECT id FROM procrastinate_fetch_job_v2(NULL, {worker})"

    async def sharing(connection: AsyncConnection) -> None:
        await enqueue(connection, "work")
        assert await _sql(catalog, take) == [(None,)]

    await catalog.transaction(sharing)
    assert await _states(catalog) == [JobState.WAITING]
    assert (await _sql(catalog, take))[0][0] is not None


async def test_job_runs_immediately_and_is_deleted_on_success(catalog: Catalog) -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    slow_polling = WorkerTimings(polling=timedelta(minutes=10))
    tasks = [Task(name="work", work=work)]
    async with Worker(catalog.conninfo, tasks, timings=slow_polling).running():
        await _wait_until(lambda: _is_listening(catalog))
        await _enqueue_work(catalog)
        await asyncio.wait_for(done.wait(), 120)
        await _wait_until(lambda: _has_no_jobs(catalog))
    assert await _sql(catalog, "SELECT * FROM procrastinate_events") == []
    assert await _sql(catalog, "SELECT * FROM procrastinate_workers") == []


async def _is_listening(catalog: Catalog) -> bool:
    """Return whether a worker waits for notifications: its connection's last statement."""
    statement = (
        "SELECT FROM pg_stat_activity WHERE datname = current_database()"
        " AND state = 'idle' AND query ILIKE 'LISTEN %'"
    )
    return bool(await _sql(catalog, statement))


async def _has_no_jobs(catalog: Catalog) -> bool:
    return await _sql(catalog, "SELECT * FROM procrastinate_jobs") == []


async def test_failing_job_is_retried_with_backoff_then_kept_for_a_manual_retry(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(task.RETRY_DELAYS) == sorted(task.RETRY_DELAYS)
    assert sum(task.RETRY_DELAYS) > 1800
    monkeypatch.setattr(task, "RETRY_DELAYS", (0, 1))
    times: list[float] = []
    repaired = False

    async def work() -> None:
        times.append(time.monotonic())
        if not repaired:
            raise _Broken

    await _enqueue_work(catalog)
    async with Worker(catalog.conninfo, [Task(name="work", work=work)], timings=QUICK).running():
        await _wait_until(lambda: _states_are(catalog, [JobState.FAILED]))
        assert len(times) == 3
        assert times[2] - times[1] > 0.9
        found = await catalog.read(list_jobs)
        assert (found.counts[JobState.FAILED], found.oldest[0].task) == (1, "work")
        assert found.oldest[0].attempts == 3
        repaired = True
        assert await catalog.transaction(lambda c: retry_jobs(c, [found.oldest[0].id + 1])) == []
        assert await catalog.transaction(retry_jobs) == [found.oldest[0].id]
        await _wait_until(lambda: _states_are(catalog, []))
    assert len(times) == 4


async def _states_are(catalog: Catalog, states: list[JobState]) -> bool:
    return await _states(catalog) == states


async def test_job_that_waits_too_long_is_late(catalog: Catalog) -> None:
    await _enqueue_work(catalog)
    await catalog.transaction(lambda c: enqueue(c, "other", after=timedelta(hours=1)))
    await _sql(
        catalog,
        "UPDATE procrastinate_jobs SET scheduled_at = now() - interval '2 minutes'"
        " WHERE task_name = 'safelight.work'",
    )
    assert await _states(catalog) == [JobState.LATE, JobState.WAITING]


async def test_clean_stop_returns_running_jobs_to_the_queue(catalog: Catalog) -> None:
    began = asyncio.Event()

    async def endless() -> None:
        began.set()
        await asyncio.sleep(3600)

    await _enqueue_work(catalog)
    async with Worker(catalog.conninfo, [Task(name="work", work=endless)], timings=QUICK).running():
        await asyncio.wait_for(began.wait(), 120)
        assert await _states(catalog) == [JobState.RUNNING]
    assert await _states(catalog) == [JobState.WAITING]


async def test_clean_stop_lets_short_jobs_finish(catalog: Catalog) -> None:
    began = asyncio.Event()

    async def short() -> None:
        began.set()
        await asyncio.sleep(0.1)

    await _enqueue_work(catalog)
    patient = replace(QUICK, grace=timedelta(minutes=2))
    async with Worker(catalog.conninfo, [Task(name="work", work=short)], timings=patient).running():
        await asyncio.wait_for(began.wait(), 120)
    assert await _states(catalog) == []


@pytest.mark.parametrize("cron", [None, "0 0 1 1 *"])
async def test_job_of_a_dead_worker_is_rescued(catalog: Catalog, cron: str | None) -> None:
    """This also holds for a periodic job whose next run is already waiting."""
    done: list[float] = []

    async def work() -> None:
        done.append(time.monotonic())

    began = time.monotonic()
    lock = "'safelight.work'" if cron else "NULL"
    await _sql(
        catalog,
        "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat)"
        " VALUES (now()) RETURNING id)"
        " INSERT INTO procrastinate_jobs (queue_name, task_name, status, lock, queueing_lock,"
        f" worker_id) SELECT 'safelight', 'safelight.work', 'doing', {lock}, {lock}, id FROM dead",
    )
    if cron:
        await _sql(
            catalog,
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock)"
            f" VALUES ('safelight', 'safelight.work', {lock}, {lock})",
        )
    doing = Task(name="work", work=work, cron=cron)
    async with Worker(catalog.conninfo, [doing], timings=RESCUING).running():
        await _wait_until(lambda: _states_are(catalog, []))
    # A worker that this machine stops for a second counts as dead, and its job runs once more.
    assert len(done) >= (2 if cron else 1)
    assert done[0] - began > 0.5, "the worker may still have been alive"


async def test_job_that_keeps_crashing_its_workers_fails(catalog: Catalog) -> None:
    await _sql(
        catalog,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts)"
        " VALUES ('safelight', 'safelight.work', 'doing', 10)",
    )
    async with Worker(catalog.conninfo, [], timings=RESCUING).running():
        await _wait_until(lambda: _states_are(catalog, [JobState.FAILED]))


async def _has_run(runs: list[int], count: int) -> bool:
    return len(runs) >= count


async def test_periodic_job_runs_once_across_all_workers(catalog: Catalog) -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(int(time.time()))

    began = time.time()
    every_second = Task(name="work", work=work, cron="* * * * * *")
    workers = [Worker(catalog.conninfo, [every_second], timings=QUICK) for _ in range(3)]
    async with workers[0].running(), workers[1].running(), workers[2].running():
        await _wait_until(lambda: _has_run(runs, 6))
    assert len(runs) <= time.time() - began + 2


async def test_worker_survives_the_loss_of_its_connections(catalog: Catalog) -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    async with Worker(catalog.conninfo, [Task(name="work", work=work)], timings=QUICK).running():
        await asyncio.sleep(0.5)
        for _ in range(3):
            await _sql(
                catalog,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'safelight worker' AND datname = current_database()",
            )
            await asyncio.sleep(0.3)
        await _enqueue_work(catalog)
        await asyncio.wait_for(done.wait(), 120)


async def test_jobs_of_a_host_application_are_not_touched(catalog: Catalog) -> None:
    await _sql(
        catalog,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " VALUES ('theirs', 'x', 'todo'), ('theirs', 'y', 'doing'), ('theirs', 'z', 'failed')",
    )
    async with Worker(catalog.conninfo, [], timings=RESCUING).running():
        await asyncio.sleep(1.5)
    assert await catalog.transaction(retry_jobs) == []
    assert (await catalog.read(list_jobs)).oldest == []
    states = await _sql(catalog, "SELECT status FROM procrastinate_jobs ORDER BY id")
    assert [state for (state,) in states] == ["todo", "doing", "failed"]


async def test_ended_jobs_are_deleted_after_their_retention_period(catalog: Catalog) -> None:
    now = datetime.now(UTC)
    await _sql(
        catalog,
        "WITH inserted AS (INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT queue, days::text, status::procrastinate_job_status FROM"
        " unnest(ARRAY['safelight', 'theirs']) AS queue, unnest(ARRAY[1, 3, 50]) AS days,"
        " unnest(ARRAY['todo', 'doing', 'succeeded', 'cancelled', 'aborted', 'failed']) AS status"
        " RETURNING id, task_name) INSERT INTO procrastinate_events (job_id, type, at)"
        " SELECT id, 'deferred', CAST(:now AS timestamptz) - task_name::int * interval '1 day'"
        " FROM inserted",
        now=now,
    )
    ended, failed = now - timedelta(days=2), now - timedelta(days=30)
    after: int | None = 0
    while after is not None:
        after = await catalog.transaction(
            partial(delete_ended_jobs, ended=ended, failed=failed, after=after, limit=7)
        )
    left = await _sql(catalog, "SELECT queue_name, task_name, status FROM procrastinate_jobs")
    assert sum(queue == "theirs" for queue, _, _ in left) == 18
    kept = {(days, status) for queue, days, status in left if queue == "safelight"}
    waiting = {(days, status) for days in ("1", "3", "50") for status in ("todo", "doing")}
    recent = {("1", status) for status in ("succeeded", "cancelled", "aborted", "failed")}
    assert kept == waiting | recent | {("3", "failed")}


async def test_job_is_enqueued_once_per_set_of_arguments(
    catalog: Catalog,
) -> None:
    done: list[tuple[str, int]] = []

    async def work(*, owner: str, id: int) -> None:  # noqa: A002  the name of the job's argument
        done.append((owner, id))

    async def put(connection: AsyncConnection) -> None:
        for number in (1, 2, 1):
            await enqueue(connection, "work", args={"owner": "me", "id": number})
        batch = [{"owner": "me", "id": number} for number in (2, 3)]
        await enqueue_each(connection, "work", batch)
        await enqueue_each(connection, "work", [])

    await catalog.transaction(put)
    assert (await catalog.read(lambda c: list_jobs(c, task="work"))).counts[JobState.WAITING] == 3
    assert (await catalog.read(lambda c: list_jobs(c, task="other"))).counts[JobState.WAITING] == 0
    await Worker(catalog.conninfo, [Task(name="work", work=work)], timings=QUICK).run_due()
    assert sorted(done) == [("me", 1), ("me", 2), ("me", 3)]


async def test_jobs_of_higher_priority_run_first(catalog: Catalog) -> None:
    done: list[int] = []

    async def work(*, id: int) -> None:  # noqa: A002  the name of the job's argument
        done.append(id)
        await asyncio.sleep(0.05)

    async def put(connection: AsyncConnection) -> None:
        low_priority = [{"id": number} for number in range(20)]
        await enqueue_each(connection, "work", low_priority, priority=-1)
        await enqueue(connection, "work", args={"id": 100})

    await catalog.transaction(put)
    await Worker(catalog.conninfo, [Task(name="work", work=work)], timings=QUICK).run_due()
    assert done.index(100) < 4


async def test_permanent_error_is_not_retried(catalog: Catalog) -> None:
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        raise CorruptImage

    await _enqueue_work(catalog)
    await Worker(catalog.conninfo, [Task(name="work", work=work)], timings=QUICK).run_due()
    assert await _states(catalog) == [JobState.FAILED]
    assert tries == 1


async def _enqueue_for(catalog: Catalog, request: str, **args: str | int) -> None:
    mark = request_id.set(request)
    try:
        await catalog.transaction(lambda connection: enqueue(connection, "work", args=args))
        await catalog.transaction(lambda connection: enqueue_each(connection, "batch", [args]))
    finally:
        request_id.reset(mark)


async def test_job_runs_under_the_id_of_the_request_that_enqueued_it(
    catalog: Catalog,
) -> None:
    done: list[tuple[str | None, str]] = []

    async def work(*, id: int) -> None:  # noqa: A002  the name of the job's argument
        done.append((request_id.get(), f"work {id}"))

    async def batch(*, id: int) -> None:  # noqa: A002  the name of the job's argument
        done.append((request_id.get(), f"batch {id}"))

    await _enqueue_for(catalog, "request-1", id=1)
    await _enqueue_for(catalog, "request-2", id=2)
    await catalog.transaction(lambda connection: enqueue(connection, "work", args={"id": 3}))
    await Worker(
        catalog.conninfo, [Task(name="work", work=work), Task(name="batch", work=batch)]
    ).run_due()
    assert sorted(done, key=str) == [
        *(("request-1", f"{task} 1") for task in ("batch", "work")),
        *(("request-2", f"{task} 2") for task in ("batch", "work")),
        (None, "work 3"),
    ]
    assert request_id.get() is None


async def test_identical_jobs_of_several_requests_are_enqueued_once(catalog: Catalog) -> None:
    for request in ("request-1", "request-2", "request-3"):
        await _enqueue_for(catalog, request, id=1)
    await catalog.transaction(lambda connection: enqueue(connection, "work", args={"id": 1}))
    found = await _sql(catalog, "SELECT task_name, args FROM procrastinate_jobs ORDER BY 1")
    args = {"id": 1, "request_id": "request-1"}
    assert [tuple(row) for row in found] == [("safelight.batch", args), ("safelight.work", args)]

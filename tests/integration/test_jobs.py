"""Jobs: enqueued with a transaction, done again when they fail, never lost with their worker."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog import Catalog
from safelight.errors import CorruptImage
from safelight.jobs import (
    Pace,
    State,
    Task,
    Worker,
    clear,
    enqueue,
    enqueue_each,
    listed,
    retry,
    task,
)
from safelight.trail import request_id

QUICK = Pace(
    polling=timedelta(seconds=0.1),
    heartbeat=timedelta(seconds=0.2),
    given_up=timedelta(seconds=1),
    looking=timedelta(seconds=0.2),
    grace=timedelta(seconds=0.2),
)


@pytest.fixture
async def catalog(empty: str) -> AsyncIterator[Catalog]:
    opened = Catalog(empty)
    await opened.upgrade()
    yield opened
    await opened.close()


async def _sql(catalog: Catalog, statement: str, **values: object) -> list[Any]:
    async def work(connection: AsyncConnection) -> list[Any]:
        found = await connection.execute(text(statement), values)
        return list(found) if found.returns_rows else []

    return await catalog.change(work)


async def _states(catalog: Catalog) -> list[State]:
    return [job.state for job in (await catalog.read(listed)).oldest]


async def _until(holds: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, "it does not come to hold"
        await asyncio.sleep(0.05)


async def _put(catalog: Catalog, name: str = "work") -> None:
    await catalog.change(lambda connection: enqueue(connection, name))


class _Broken(Exception):
    pass


async def test_a_job_is_there_when_its_transaction_is_and_not_when_that_is_rolled_back(
    catalog: Catalog,
) -> None:
    async def broken(connection: AsyncConnection) -> None:
        await enqueue(connection, "work")
        assert await _states(catalog) == []
        raise _Broken

    with pytest.raises(_Broken):
        await catalog.change(broken)
    assert await _states(catalog) == []
    for _ in range(3):
        await _put(catalog)
    assert await _states(catalog) == [State.WAITING]  # one is enough
    await _put(catalog, "other")
    assert await _states(catalog) == [State.WAITING] * 2


async def test_a_waiting_job_that_is_shared_is_not_taken_before_the_commit(
    catalog: Catalog,
) -> None:
    await _put(catalog)
    worker = (await _sql(catalog, "SELECT procrastinate_register_worker_v1()"))[0][0]
    take = f"SELECT id FROM procrastinate_fetch_job_v2(NULL, {worker})"

    async def sharing(connection: AsyncConnection) -> None:
        await enqueue(connection, "work")
        assert await _sql(catalog, take) == [(None,)]

    await catalog.change(sharing)
    assert await _states(catalog) == [State.WAITING]
    assert (await _sql(catalog, take))[0][0] is not None


async def test_a_job_is_done_at_once_and_leaves_nothing(catalog: Catalog) -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    told = Pace(polling=timedelta(minutes=10))
    async with Worker(catalog.url, [Task(name="work", work=work)], pace=told).running():
        await asyncio.sleep(1)
        await _put(catalog)
        await asyncio.wait_for(done.wait(), 30)
        await _until(lambda: _none_left(catalog))
    assert await _sql(catalog, "SELECT * FROM procrastinate_events") == []
    assert await _sql(catalog, "SELECT * FROM procrastinate_workers") == []


async def _none_left(catalog: Catalog) -> bool:
    return await _sql(catalog, "SELECT * FROM procrastinate_jobs") == []


async def test_what_fails_is_tried_after_growing_pauses_and_kept_and_repeated(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(task.PAUSES) == sorted(task.PAUSES)
    assert sum(task.PAUSES) > 1800
    monkeypatch.setattr(task, "PAUSES", (0, 1))
    times: list[float] = []
    mended = False

    async def work() -> None:
        times.append(time.monotonic())
        if not mended:
            raise _Broken

    await _put(catalog)
    async with Worker(catalog.url, [Task(name="work", work=work)], pace=QUICK).running():
        await _until(lambda: _is(catalog, [State.FAILED]))
        assert len(times) == 3
        assert times[2] - times[1] > 0.9
        found = await catalog.read(listed)
        assert (found.counts[State.FAILED], found.oldest[0].task) == (1, "work")
        assert found.oldest[0].attempts == 3
        mended = True
        assert await catalog.change(lambda c: retry(c, [found.oldest[0].id + 1])) == []
        assert await catalog.change(retry) == [found.oldest[0].id]
        await _until(lambda: _is(catalog, []))
    assert len(times) == 4


async def _is(catalog: Catalog, states: list[State]) -> bool:
    return await _states(catalog) == states


async def test_a_job_nobody_takes_is_late(catalog: Catalog) -> None:
    await _put(catalog)
    await catalog.change(lambda c: enqueue(c, "other", after=timedelta(hours=1)))
    await _sql(
        catalog,
        "UPDATE procrastinate_jobs SET scheduled_at = now() - interval '2 minutes'"
        " WHERE task_name = 'safelight.work'",
    )
    assert await _states(catalog) == [State.LATE, State.WAITING]


async def test_a_clean_stop_hands_back_what_it_holds(catalog: Catalog) -> None:
    began = asyncio.Event()

    async def endless() -> None:
        began.set()
        await asyncio.sleep(3600)

    await _put(catalog)
    async with Worker(catalog.url, [Task(name="work", work=endless)], pace=QUICK).running():
        await asyncio.wait_for(began.wait(), 30)
        assert await _states(catalog) == [State.RUNNING]
    assert await _states(catalog) == [State.WAITING]


async def test_a_clean_stop_lets_what_is_short_finish(catalog: Catalog) -> None:
    began = asyncio.Event()

    async def short() -> None:
        began.set()
        await asyncio.sleep(0.1)

    await _put(catalog)
    async with Worker(catalog.url, [Task(name="work", work=short)], pace=QUICK).running():
        await asyncio.wait_for(began.wait(), 30)
    assert await _states(catalog) == []


@pytest.mark.parametrize("cron", [None, "0 0 1 1 *"])
async def test_what_a_dead_worker_held_is_taken_up_again(
    catalog: Catalog, cron: str | None
) -> None:
    """Also a periodic job, while the next of its kind waits already."""
    done: list[float] = []

    async def work() -> None:
        done.append(time.monotonic())

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
    began = time.monotonic()
    doing = Task(name="work", work=work, cron=cron)
    async with Worker(catalog.url, [doing], pace=QUICK).running():
        await _until(lambda: _is(catalog, []))
    assert len(done) == (2 if cron else 1)
    assert done[0] - began > 0.5  # it might have lived


async def test_a_job_that_takes_its_workers_along_is_given_up(catalog: Catalog) -> None:
    await _sql(
        catalog,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts)"
        " VALUES ('safelight', 'safelight.work', 'doing', 10)",
    )
    async with Worker(catalog.url, [], pace=QUICK).running():
        await _until(lambda: _is(catalog, [State.FAILED]))


async def _reach(runs: list[int], count: int) -> bool:
    return len(runs) >= count


async def test_a_periodic_job_runs_once_in_the_fleet(catalog: Catalog) -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(int(time.time()))

    began = time.time()
    secondly = Task(name="work", work=work, cron="* * * * * *")
    workers = [Worker(catalog.url, [secondly], pace=QUICK) for _ in range(3)]
    async with workers[0].running(), workers[1].running(), workers[2].running():
        await _until(lambda: _reach(runs, 6))
    assert len(runs) <= time.time() - began + 2


async def test_a_worker_outlives_its_connections(catalog: Catalog) -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    async with Worker(catalog.url, [Task(name="work", work=work)], pace=QUICK).running():
        await asyncio.sleep(0.5)
        for _ in range(3):
            await _sql(
                catalog,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'safelight worker' AND datname = current_database()",
            )
            await asyncio.sleep(0.3)
        await _put(catalog)
        await asyncio.wait_for(done.wait(), 30)


async def test_the_jobs_of_a_host_application_are_left_alone(catalog: Catalog) -> None:
    await _sql(
        catalog,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " VALUES ('theirs', 'x', 'todo'), ('theirs', 'y', 'doing'), ('theirs', 'z', 'failed')",
    )
    async with Worker(catalog.url, [], pace=QUICK).running():
        await asyncio.sleep(1.5)
    assert await catalog.change(retry) == []
    assert (await catalog.read(listed)).oldest == []
    states = await _sql(catalog, "SELECT status FROM procrastinate_jobs ORDER BY id")
    assert [state for (state,) in states] == ["todo", "doing", "failed"]


async def test_jobs_are_dropped_some_time_after_their_end(catalog: Catalog) -> None:
    now = datetime.now(UTC)
    await _sql(
        catalog,
        "WITH those AS (INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT queue, days::text, status::procrastinate_job_status FROM"
        " unnest(ARRAY['safelight', 'theirs']) AS queue, unnest(ARRAY[1, 3, 50]) AS days,"
        " unnest(ARRAY['todo', 'doing', 'succeeded', 'cancelled', 'aborted', 'failed']) AS status"
        " RETURNING id, task_name) INSERT INTO procrastinate_events (job_id, type, at)"
        " SELECT id, 'deferred', CAST(:now AS timestamptz) - task_name::int * interval '1 day'"
        " FROM those",
        now=now,
    )
    ended, failed = now - timedelta(days=2), now - timedelta(days=30)
    after: int | None = 0
    while after is not None:
        after = await catalog.change(
            partial(clear, ended=ended, failed=failed, after=after, limit=7)
        )
    left = await _sql(catalog, "SELECT queue_name, task_name, status FROM procrastinate_jobs")
    assert sum(queue == "theirs" for queue, _, _ in left) == 18
    kept = {(days, status) for queue, days, status in left if queue == "safelight"}
    waiting = {(days, status) for days in ("1", "3", "50") for status in ("todo", "doing")}
    recent = {("1", status) for status in ("succeeded", "cancelled", "aborted", "failed")}
    assert kept == waiting | recent | {("3", "failed")}


async def test_a_job_is_about_what_it_was_put_for_and_is_put_once_for_each(
    catalog: Catalog,
) -> None:
    done: list[tuple[str, int]] = []

    async def work(*, owner: str, id: int) -> None:  # noqa: A002  as it is in the job
        done.append((owner, id))

    async def put(connection: AsyncConnection) -> None:
        for number in (1, 2, 1):
            await enqueue(connection, "work", about={"owner": "me", "id": number})
        batch = [{"owner": "me", "id": number} for number in (2, 3)]
        await enqueue_each(connection, "work", batch)
        await enqueue_each(connection, "work", [])

    await catalog.change(put)
    assert (await catalog.read(lambda c: listed(c, task="work"))).counts[State.WAITING] == 3
    assert (await catalog.read(lambda c: listed(c, task="other"))).counts[State.WAITING] == 0
    await Worker(catalog.url, [Task(name="work", work=work)], pace=QUICK).once()
    assert sorted(done) == [("me", 1), ("me", 2), ("me", 3)]


async def test_jobs_of_a_higher_priority_go_first(catalog: Catalog) -> None:
    done: list[int] = []

    async def work(*, id: int) -> None:  # noqa: A002  as it is in the job
        done.append(id)
        await asyncio.sleep(0.05)

    async def put(connection: AsyncConnection) -> None:
        late = [{"id": number} for number in range(20)]
        await enqueue_each(connection, "work", late, priority=-1)
        await enqueue(connection, "work", about={"id": 100})

    await catalog.change(put)
    await Worker(catalog.url, [Task(name="work", work=work)], pace=QUICK).once()
    assert done.index(100) < 4


async def test_what_the_same_bytes_would_give_again_is_not_tried_again(catalog: Catalog) -> None:
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        raise CorruptImage

    await _put(catalog)
    await Worker(catalog.url, [Task(name="work", work=work)], pace=QUICK).once()
    assert await _states(catalog) == [State.FAILED]
    assert tries == 1


async def _put_for(catalog: Catalog, request: str, **about: str | int) -> None:
    mark = request_id.set(request)
    try:
        await catalog.change(lambda connection: enqueue(connection, "work", about=about))
        await catalog.change(lambda connection: enqueue_each(connection, "each", [about]))
    finally:
        request_id.reset(mark)


async def test_a_job_is_done_under_the_id_of_the_request_that_it_follows_from(
    catalog: Catalog,
) -> None:
    done: list[tuple[str | None, str]] = []

    async def work(*, id: int) -> None:  # noqa: A002  as it is in the job
        done.append((request_id.get(), f"work {id}"))

    async def each(*, id: int) -> None:  # noqa: A002  as it is in the job
        done.append((request_id.get(), f"each {id}"))

    await _put_for(catalog, "request-1", id=1)
    await _put_for(catalog, "request-2", id=2)
    await catalog.change(lambda connection: enqueue(connection, "work", about={"id": 3}))
    await Worker(catalog.url, [Task(name="work", work=work), Task(name="each", work=each)]).once()
    assert sorted(done, key=str) == [
        *(("request-1", f"{task} 1") for task in ("each", "work")),
        *(("request-2", f"{task} 2") for task in ("each", "work")),
        (None, "work 3"),
    ]
    assert request_id.get() is None


async def test_requests_that_want_the_same_done_have_one_job(catalog: Catalog) -> None:
    for request in ("request-1", "request-2", "request-3"):
        await _put_for(catalog, request, id=1)
    await catalog.change(lambda connection: enqueue(connection, "work", about={"id": 1}))
    found = await _sql(catalog, "SELECT task_name, args FROM procrastinate_jobs ORDER BY 1")
    about = {"id": 1, "request_id": "request-1"}
    assert [tuple(row) for row in found] == [("safelight.each", about), ("safelight.work", about)]

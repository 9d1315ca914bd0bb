"""The job queue: enqueue, list, retry and delete jobs.

Every function runs on the caller's connection, in its transaction.
"""

import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import tracing
from safelight.jobs.task import QUEUE, REQUEST_ID

LATE_AFTER = timedelta(minutes=1)
"""A job that has been due for longer, and that no worker has taken, is late."""

_MAX_LISTED = 500


class JobState(StrEnum):
    """The state of a job that has not succeeded."""

    WAITING = "waiting"
    LATE = "late"
    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An unfinished job. `at` is the time of its last event."""

    id: int
    task: str
    state: JobState
    due_at: datetime | None
    attempts: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JobList:
    """The number of jobs in each state, and the oldest jobs."""

    counts: dict[JobState, int]
    oldest: list[Job]


_FIND_WAITING = text(
    "SELECT id FROM procrastinate_jobs WHERE status = 'todo' AND task_name = :task"
    " AND queue_name = :queue AND queueing_lock IS NULL"
    " AND args - 'request_id' = CAST(:args AS jsonb)"
    " ORDER BY priority DESC, id LIMIT 1 FOR KEY SHARE"
)
_ENQUEUE = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(CAST(:queue AS varchar), CAST(:task AS varchar),"
    " CAST(:priority AS integer), NULL, NULL,"
    " CAST(:args AS jsonb) || CAST(:origin AS jsonb),"
    " now() + CAST(:after AS interval))"
    "::procrastinate_job_to_defer_v1])"
)


def enqueue(
    connection: AsyncConnection,
    task: str,
    *,
    args: Mapping[str, str | int] | None = None,
    after: timedelta = timedelta(0),
    priority: int = 0,
) -> Awaitable[None]:
    """Enqueue a job that calls a task with `args`, `after` the transaction is committed.

    Jobs of higher priority run first. If the same task already waits with the same arguments, no
    job is added. The waiting one is locked until the commit, so that no worker runs it before it
    can see the transaction's changes. A job keeps the id of the (first) request that caused it.
    """
    return connection.run_sync(enqueue_blocking, task, args=args, after=after, priority=priority)


def enqueue_blocking(
    connection: Connection,
    task: str,
    *,
    args: Mapping[str, str | int] | None = None,
    after: timedelta = timedelta(0),
    priority: int = 0,
) -> None:
    """Enqueue a job as `enqueue` does, on a connection that blocks."""
    job = {"task": f"{QUEUE}.{task}", "queue": QUEUE, "args": json.dumps(dict(args or {}))}
    if connection.execute(_FIND_WAITING, job).first() is None:
        more = {"after": after, "priority": priority, "origin": _origin()}
        connection.execute(_ENQUEUE, job | more)


def _origin() -> str:
    """Return the current request's id as a job argument."""
    id_ = tracing.request_id.get()
    return json.dumps({} if id_ is None else {REQUEST_ID: id_})


_ENQUEUE_EACH = text(
    "WITH wanted AS (SELECT args FROM jsonb_array_elements(CAST(:args AS jsonb)) AS e(args)),"
    " waiting AS (SELECT job.args - 'request_id' AS args FROM procrastinate_jobs job"
    " WHERE status = 'todo' AND task_name = :task AND queue_name = :queue"
    " AND job.args - 'request_id' IN (SELECT args FROM wanted) FOR KEY SHARE OF job)"
    " SELECT procrastinate_defer_jobs_v1(array_agg(ROW(CAST(:queue AS varchar),"
    " CAST(:task AS varchar), CAST(:priority AS integer), NULL, NULL,"
    " args || CAST(:origin AS jsonb), now() + CAST(:after AS interval))"
    "::procrastinate_job_to_defer_v1)) FROM wanted"
    " WHERE NOT EXISTS (SELECT FROM waiting WHERE waiting.args = wanted.args) HAVING count(*) > 0"
)


async def enqueue_each(
    connection: AsyncConnection,
    task: str,
    args: Sequence[Mapping[str, str | int]],
    *,
    after: timedelta = timedelta(0),
    priority: int = 0,
) -> None:
    """Enqueue a job for each of `args`, as `enqueue` does."""
    parameters = {
        "task": f"{QUEUE}.{task}",
        "queue": QUEUE,
        "args": json.dumps(args),
        "after": after,
        "priority": priority,
        "origin": _origin(),
    }
    await connection.execute(_ENQUEUE_EACH, parameters)


_STATES = """
    SELECT id, substr(task_name, length(queue_name) + 2) AS task, scheduled_at AS due_at, attempts,
      CASE WHEN status = 'doing' THEN 'running' WHEN status = 'failed' THEN 'failed'
        WHEN coalesce(scheduled_at, (SELECT min(at) FROM procrastinate_events WHERE job_id = j.id))
          < now() - CAST(:late AS interval) THEN 'late'
        ELSE 'waiting' END AS state
    FROM procrastinate_jobs j
    WHERE queue_name = :queue AND status IN ('todo', 'doing', 'failed')
      AND (CAST(:task AS varchar) IS NULL OR task_name = :task)
"""
_COUNTS = text(f"SELECT state, count(*) AS count FROM ({_STATES}) states GROUP BY state")  # noqa: S608  ours
_OLDEST = text(
    f"SELECT states.*, (SELECT max(at) FROM procrastinate_events"  # noqa: S608  ours
    f" WHERE job_id = states.id AND type <> 'scheduled') AS at FROM ({_STATES}) states"
    " ORDER BY id LIMIT :limit"
)


async def list_jobs(connection: AsyncConnection, *, task: str | None = None) -> JobList:
    """List the jobs that wait, are late, run or have failed, of one task or of all."""
    name = None if task is None else f"{QUEUE}.{task}"
    parameters = {"queue": QUEUE, "late": LATE_AFTER, "task": name}
    rows = await connection.execute(_OLDEST, parameters | {"limit": _MAX_LISTED})
    return JobList(
        counts=await count_jobs(connection, task=task),
        oldest=[_job(row._mapping) for row in rows],
    )


async def count_jobs(
    connection: AsyncConnection, *, task: str | None = None
) -> dict[JobState, int]:
    """Return the number of jobs in each state, of one task or of all."""
    name = None if task is None else f"{QUEUE}.{task}"
    parameters = {"queue": QUEUE, "late": LATE_AFTER, "task": name}
    counts = {row[0]: row[1] for row in await connection.execute(_COUNTS, parameters)}
    return {state: counts.get(state, 0) for state in JobState}


def _job(row: Any) -> Job:
    return Job(**{**row, "state": JobState(row["state"])})


_RETRY = """
    UPDATE procrastinate_jobs
    SET status = 'todo', attempts = 0, scheduled_at = now(), queueing_lock = NULL
    WHERE queue_name = :queue AND status = 'failed' AND {which}
    RETURNING id
"""
_NOTIFY = text("SELECT pg_notify(:channel, json_build_object('type', 'job_inserted')::text)")


async def retry_jobs(connection: AsyncConnection, ids: Sequence[int] | None = None) -> list[int]:
    """Retry failed jobs, by default all of them; return the ids of those that were failed."""
    which = "true" if ids is None else "id = ANY(:ids)"
    parameters: dict[str, object] = {"queue": QUEUE} | ({} if ids is None else {"ids": list(ids)})
    retried = await connection.execute(text(_RETRY.format(which=which)), parameters)
    found = sorted(retried.scalars())
    await connection.execute(_NOTIFY, {"channel": f"procrastinate_queue_v1#{QUEUE}"})
    return found


_NEXT = text("SELECT id FROM procrastinate_jobs WHERE id > :after ORDER BY id LIMIT :limit")
_DELETE_ENDED = text("""
    DELETE FROM procrastinate_jobs j WHERE id = ANY(:ids) AND queue_name = :queue
    AND status IN ('succeeded', 'cancelled', 'aborted', 'failed')
    AND coalesce((SELECT max(at) FROM procrastinate_events WHERE job_id = j.id), '-infinity')
    < CASE status WHEN 'failed' THEN CAST(:failed AS timestamptz) ELSE :ended END
""")


async def delete_ended_jobs(
    connection: AsyncConnection, *, ended: datetime, failed: datetime, after: int, limit: int
) -> int | None:
    """Delete jobs that ended before a time, and those that failed before another.

    Checks the next `limit` jobs by id, whatever their state. Returns the `after` of the next call,
    None at the end.
    """
    # Two statements without a join: for tables that have grown since they were last analyzed, the
    # planner may choose to compare every pair.
    ids = (await connection.execute(_NEXT, {"after": after, "limit": limit})).scalars().all()
    parameters = {"ids": list(ids), "queue": QUEUE, "ended": ended, "failed": failed}
    await connection.execute(_DELETE_ENDED, parameters)
    return ids[-1] if len(ids) == limit else None

"""The queue: jobs are put into it, looked at, repeated and cleared away.

Every function works on a connection of the caller's, in whatever transaction that is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import trail
from safelight.jobs.task import QUEUE, REQUEST_ID

LATE_AFTER = timedelta(minutes=1)
"""A job that has been due for so long, and that nobody has taken, is late."""

_MOST = 500


class State(StrEnum):
    """What is the matter with a job."""

    WAITING = "waiting"
    LATE = "late"
    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that isn't done. `at` is when something happened to it last."""

    id: int
    task: str
    state: State
    due_at: datetime | None
    attempts: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """How many there are in each state, and the oldest of them."""

    counts: dict[State, int]
    oldest: list[Job]


_WAITS = text(
    "SELECT id FROM procrastinate_jobs WHERE status = 'todo' AND task_name = :task"
    " AND queue_name = :queue AND queueing_lock IS NULL"
    " AND args - 'request_id' = CAST(:about AS jsonb)"
    " ORDER BY priority DESC, id LIMIT 1 FOR KEY SHARE"
)
_ENQUEUE = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(CAST(:queue AS varchar), CAST(:task AS varchar),"
    " CAST(:priority AS integer), NULL, NULL,"
    " CAST(:about AS jsonb) || CAST(:origin AS jsonb),"
    " now() + CAST(:after AS interval))"
    "::procrastinate_job_to_defer_v1])"
)


async def enqueue(
    connection: AsyncConnection,
    task: str,
    *,
    about: Mapping[str, str | int] | None = None,
    after: timedelta = timedelta(0),
    priority: int = 0,
) -> None:
    """Have a task done once the connection's transaction is committed, and `after` it.

    `about` is what the task is called with. Jobs of a higher priority are taken first. If the same
    task waits already, about the same, that is enough: it is held fast until the commit, so that
    no worker takes it before what it is to see is there. The job also keeps the id of the request
    that it follows from, the first if there are several.
    """
    job = {"task": f"{QUEUE}.{task}", "queue": QUEUE, "about": json.dumps(dict(about or {}))}
    if (await connection.execute(_WAITS, job)).first() is None:
        more = {"after": after, "priority": priority, "origin": _origin()}
        await connection.execute(_ENQUEUE, job | more)


def _origin() -> str:
    """Write down for which request we work, if it is for one."""
    id_ = trail.request_id.get()
    return json.dumps({} if id_ is None else {REQUEST_ID: id_})


_ENQUEUE_EACH = text(
    "WITH wanted AS (SELECT about FROM jsonb_array_elements(CAST(:abouts AS jsonb)) AS e(about)"
    " WHERE NOT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo'"
    " AND task_name = :task AND queue_name = :queue AND args - 'request_id' = about))"
    " SELECT procrastinate_defer_jobs_v1(array_agg(ROW(CAST(:queue AS varchar),"
    " CAST(:task AS varchar), CAST(:priority AS integer), NULL, NULL,"
    " about || CAST(:origin AS jsonb), now())"
    "::procrastinate_job_to_defer_v1)) FROM wanted HAVING count(*) > 0"
)


async def enqueue_each(
    connection: AsyncConnection,
    task: str,
    abouts: Sequence[Mapping[str, str | int]],
    *,
    priority: int = 0,
) -> None:
    """Have a task done about each of them, but for what it waits to be done about already."""
    told = json.dumps([dict(about) for about in abouts])
    job = {"task": f"{QUEUE}.{task}", "queue": QUEUE, "abouts": told, "priority": priority}
    await connection.execute(_ENQUEUE_EACH, job | {"origin": _origin()})


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
    " ORDER BY id LIMIT :most"
)


async def listed(connection: AsyncConnection, *, task: str | None = None) -> Jobs:
    """Tell what waits, is late, runs and has failed, of one task or of all."""
    named = None if task is None else f"{QUEUE}.{task}"
    asked = {"queue": QUEUE, "late": LATE_AFTER, "task": named}
    rows = await connection.execute(_OLDEST, asked | {"most": _MOST})
    return Jobs(
        counts=await counted(connection, task=task),
        oldest=[_job(row._mapping) for row in rows],  # noqa: SLF001  SQLAlchemy's public name
    )


async def counted(connection: AsyncConnection, *, task: str | None = None) -> dict[State, int]:
    """Tell how many jobs there are in each state, of one task or of all."""
    named = None if task is None else f"{QUEUE}.{task}"
    asked = {"queue": QUEUE, "late": LATE_AFTER, "task": named}
    found = {row[0]: row[1] for row in await connection.execute(_COUNTS, asked)}
    return {state: found.get(state, 0) for state in State}


def _job(row: Any) -> Job:  # noqa: ANN401  a row has no type that names its columns
    return Job(**{**row, "state": State(row["state"])})


_RETRY = """
    UPDATE procrastinate_jobs
    SET status = 'todo', attempts = 0, scheduled_at = now(), queueing_lock = NULL
    WHERE queue_name = :queue AND status = 'failed' AND {which}
    RETURNING id
"""
_NOTIFY = text("SELECT pg_notify(:channel, json_build_object('type', 'job_inserted')::text)")


async def retry(connection: AsyncConnection, ids: Sequence[int] | None = None) -> list[int]:
    """Repeat jobs that have failed, all of them if None; gives the ids of those that will be."""
    which = "true" if ids is None else "id = ANY(:ids)"
    asked: dict[str, object] = {"queue": QUEUE} | ({} if ids is None else {"ids": list(ids)})
    repeated = await connection.execute(text(_RETRY.format(which=which)), asked)
    found = sorted(repeated.scalars())
    await connection.execute(_NOTIFY, {"channel": f"procrastinate_queue_v1#{QUEUE}"})
    return found


_NEXT = text("SELECT id FROM procrastinate_jobs WHERE id > :after ORDER BY id LIMIT :limit")
_CLEAR = text("""
    DELETE FROM procrastinate_jobs j WHERE id = ANY(:ids) AND queue_name = :queue
    AND status IN ('succeeded', 'cancelled', 'aborted', 'failed')
    AND coalesce((SELECT max(at) FROM procrastinate_events WHERE job_id = j.id), '-infinity')
    < CASE status WHEN 'failed' THEN CAST(:failed AS timestamptz) ELSE :ended END
""")


async def clear(
    connection: AsyncConnection, *, ended: datetime, failed: datetime, after: int, limit: int
) -> int | None:
    """Drop jobs that ended before a time, and those that failed before another.

    Looks at the next `limit` jobs by their ids, whatever became of these. Returns where to go on,
    None at the end.
    """
    # Two statements without a join: of tables that have grown since they were last analyzed, a
    # planner knows so little that it may join by looking at each pair.
    ids = (await connection.execute(_NEXT, {"after": after, "limit": limit})).scalars().all()
    asked = {"ids": list(ids), "queue": QUEUE, "ended": ended, "failed": failed}
    await connection.execute(_CLEAR, asked)
    return ids[-1] if len(ids) == limit else None

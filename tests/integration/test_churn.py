"""A year of churn: ended rows are deleted, and the catalog stays small."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from safelight import keys
from safelight.catalog.connections.pool import Work
from safelight.catalog.database import Database
from safelight.catalog.tables import codes, photos, sessions, uploads
from safelight.engines import EmbeddedEngines
from safelight.errors import CatalogUnavailable
from safelight.library import Library
from safelight.library.sweep import Sweep
from safelight.library.tasks import clear_expired
from safelight.models import Status
from support.app_server import settings_for

MONTH = timedelta(days=31)
PER_MONTH = 200
"""Deleted photos, abandoned uploads, sessions and codes per month; there are ten jobs for each."""


@pytest.fixture
async def library(
    engines: EmbeddedEngines, database_url: str, tmp_path: Path
) -> AsyncIterator[Library]:
    settings = settings_for(engines, tmp_path, database_url=SecretStr(database_url))
    opened = Library.from_settings(settings, worker=False)
    async with opened.lifespan(None):
        yield opened


async def test_catalog_stays_small_over_a_year_of_churn(library: Library) -> None:
    began = datetime.now(UTC)
    sizes = []
    for month in range(12):
        now = began + month * MONTH
        await library.backends.catalog.transaction(lambda c, now=now: _add_month(c, now))  # type: ignore[misc]
        for later in (timedelta(hours=2), timedelta(hours=4), MONTH):
            await _run_periodic_jobs(library, now + later)
        sizes.append(await _size(library))
    assert await _counts(library) == {
        "safelight_photos": 0,
        "safelight_sessions": 0,
        "safelight_codes": 0,
        "procrastinate_jobs": 0,
        "procrastinate_events": 0,
    }
    assert sizes[-1] <= sizes[1] * 1.2, sizes
    assert sizes[-1] < 4 * 1024 * 1024, sizes


async def test_interrupted_cleanup_keeps_its_progress(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    for _ in range(2):
        await library.backends.catalog.transaction(lambda c: _add_month(c, now))
    transaction = Database.transaction
    calls = 0

    async def fail_after_five(self: Database, work: Work[int], **kwargs: timedelta) -> int:
        nonlocal calls
        calls += 1
        if calls > 5:  # the first four are not about jobs
            raise CatalogUnavailable
        return await transaction(self, work, **kwargs)

    remaining = [2 * 10 * PER_MONTH]
    monkeypatch.setattr(Database, "transaction", fail_after_five)
    while remaining[-1]:
        assert len(remaining) < 5
        calls = 0
        with contextlib.suppress(CatalogUnavailable):
            await clear_expired(library.backends.catalog, now=now + MONTH)
        remaining.append((await _counts(library))["procrastinate_jobs"])
        assert remaining[-1] < remaining[-2]
    assert len(remaining) > 2, "deletion must be split into several transactions"


async def test_cleanup_ends_all_stale_rows_beyond_one_batch(library: Library) -> None:
    now, count = datetime.now(UTC), 2345
    catalog = library.backends.catalog
    pending = {"owner": "o", "status": "pending", "title": "", "description": "", "filename": ""}
    upload = pending | {"status": "open", "content_type": "", "size": 1}
    rows = [pending | {"name": keys.new_storage_id(), "reserved_at": now} for _ in range(count)]
    times = {"created_at": now, "expires_at": now}
    upload_rows = [upload | times | {"name": keys.new_storage_id()} for _ in range(count)]
    await catalog.transaction(lambda connection: connection.execute(insert(photos), rows))
    await catalog.transaction(lambda connection: connection.execute(insert(uploads), upload_rows))
    later = now + timedelta(seconds=1)
    for expected in (count, 0):
        stale = await catalog.tombstones.abandon_stale(reserved_before=later, now=later)
        assert stale == await catalog.uploads.abort_expired(now=later) == expected


async def _add_month(connection: AsyncConnection, now: datetime) -> None:
    """Add the rows that a month leaves behind."""
    photo: dict[str, object] = {
        "owner": "o",
        "title": "t",
        "description": "d" * 200,
        "filename": "f",
        "name": "",
    }
    deleted = photo | {"status": Status.DELETED, "reserved_at": now, "deleted_at": now}
    abandoned = photo | {"status": Status.PENDING, "reserved_at": now, "deleted_at": None}
    rows = [row | {"name": keys.new_storage_id()} for row in [deleted, abandoned] * PER_MONTH]
    await connection.execute(insert(photos), rows)
    session = {"issued_by": "x", "created_at": now, "seen_at": now, "address": "a", "browser": "b"}
    digests = [secrets.token_hex(32) for _ in range(PER_MONTH)]
    await connection.execute(insert(sessions), [session | {"digest": digest} for digest in digests])
    code = {"issued_by": "x", "expires_at": now + timedelta(minutes=15)}
    await connection.execute(insert(codes), [code | {"digest": digest} for digest in digests])
    await connection.execute(
        text(
            "WITH ended AS (INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
            " SELECT 'safelight', 'safelight.work', (ARRAY['succeeded', 'failed', 'aborted',"
            " 'cancelled'])[n % 4 + 1]::procrastinate_job_status"
            " FROM generate_series(1, :count) AS n RETURNING id)"
            " INSERT INTO procrastinate_events (job_id, type, at)"
            " SELECT id, type, :now FROM ended, unnest(ARRAY['deferred', 'started', 'succeeded']"
            "::procrastinate_job_event_type[]) AS type"
        ),
        {"count": 10 * PER_MONTH, "now": now},
    )


async def _run_periodic_jobs(library: Library, now: datetime) -> None:
    """Run the periodic jobs."""
    backends = library.backends
    await Sweep(backends.catalog, backends.bucket, clock=lambda: now).run()
    await clear_expired(backends.catalog, now=now)


async def _size(library: Library) -> int:
    """Return the size of all tables in bytes, after a vacuum."""
    engine = create_async_engine(library.database_url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("VACUUM"))
        size = await connection.scalar(
            text(
                "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r'"
                " AND (relname LIKE 'safelight%' OR relname LIKE 'procrastinate%')"
            )
        )
    await engine.dispose()
    return int(size or 0)


async def _counts(library: Library) -> dict[str, int]:
    tables = [table.name for table in (photos, sessions, codes)]

    async def read(connection: AsyncConnection) -> dict[str, int]:
        return {
            name: await connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0
            for name in (*tables, "procrastinate_jobs", "procrastinate_events")
        }

    return await library.backends.catalog.read(read)

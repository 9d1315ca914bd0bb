"""A year of coming and going: what has ended is cleared, and the catalog stays small."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from integration.served import settings_for
from safelight import keys
from safelight.catalog.database import Database, Work
from safelight.engines import EmbeddedEngines
from safelight.errors import CatalogUnavailable
from safelight.library import Library
from safelight.library.sweep import Sweep
from safelight.library.tasks import cleared
from safelight.photo import Status
from safelight.tables import codes, photos, sessions, uploads

MONTH = timedelta(days=31)
EACH = 200
"""Photos deleted, uploads given up, sessions and codes of a month; jobs are ten times as many."""


@pytest.fixture
async def library(engines: EmbeddedEngines, empty: str, tmp_path: Path) -> AsyncIterator[Library]:
    settings = settings_for(engines, tmp_path, database_url=SecretStr(empty))
    opened = Library.from_settings(settings, worker=False)
    async with opened.lifespan(None):
        yield opened


async def test_the_catalog_stays_small_under_a_year_of_churn(library: Library) -> None:
    began = datetime.now(UTC)
    sizes = []
    for month in range(12):
        now = began + month * MONTH
        await library.parts.catalog.change(lambda c, now=now: _lived(c, now))  # type: ignore[misc]
        for later in (timedelta(hours=2), timedelta(hours=4), MONTH):
            await _jobs_of(library, now + later)
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


async def test_what_is_cleared_of_a_crowd_stays_cleared_though_the_catalog_goes_away(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    for _ in range(2):
        await library.parts.catalog.change(lambda c: _lived(c, now))
    transaction = Database.transaction
    answered = 0

    async def for_a_while(self: Database, work: Work[int], **kwargs: timedelta) -> int:
        nonlocal answered
        answered += 1
        if answered > 4:
            raise CatalogUnavailable
        return await transaction(self, work, **kwargs)

    left = [2 * 10 * EACH]
    monkeypatch.setattr(Database, "transaction", for_a_while)
    while left[-1]:
        assert len(left) < 5
        answered = 0
        with contextlib.suppress(CatalogUnavailable):
            await cleared(library.parts.catalog, now=now + MONTH)
        left.append((await _counts(library))["procrastinate_jobs"])
        assert left[-1] < left[-2]
    assert len(left) > 2, "all in one transaction, which a crowd makes too long"


async def test_however_many_were_given_up_all_are_ended(library: Library) -> None:
    now, many = datetime.now(UTC), 2345
    catalog = library.parts.catalog
    pending = {"owner": "o", "status": "pending", "title": "", "description": "", "filename": ""}
    upload = pending | {"status": "open", "content_type": "", "size": 1}
    rows = [pending | {"name": keys.new_name(), "reserved_at": now} for _ in range(many)]
    times = {"created_at": now, "expires_at": now}
    sent = [upload | times | {"name": keys.new_name()} for _ in range(many)]
    await catalog.change(lambda connection: connection.execute(insert(photos), rows))
    await catalog.change(lambda connection: connection.execute(insert(uploads), sent))
    later = now + timedelta(seconds=1)
    for expected in (many, 0):
        stale = await catalog.tombstones.abandon_stale(reserved_before=later, now=later)
        assert stale == await catalog.uploads.end_stale(now=later) == expected


async def _lived(connection: AsyncConnection, now: datetime) -> None:
    """Leave behind what a month does."""
    photo: dict[str, object] = {
        "owner": "o",
        "title": "t",
        "description": "d" * 200,
        "filename": "f",
        "name": "",
    }
    dead = photo | {"status": Status.DELETED, "reserved_at": now, "deleted_at": now}
    given_up = photo | {"status": Status.PENDING, "reserved_at": now, "deleted_at": None}
    rows = [each | {"name": keys.new_name()} for each in [dead, given_up] * EACH]
    await connection.execute(insert(photos), rows)
    issued = {"issued_by": "x", "created_at": now, "seen_at": now, "address": "a", "browser": "b"}
    digests = [secrets.token_hex(32) for _ in range(EACH)]
    await connection.execute(insert(sessions), [issued | {"digest": each} for each in digests])
    code = {"issued_by": "x", "expires_at": now + timedelta(minutes=15)}
    await connection.execute(insert(codes), [code | {"digest": each} for each in digests])
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
        {"count": 10 * EACH, "now": now},
    )


async def _jobs_of(library: Library, now: datetime) -> None:
    """Do what the periodic jobs do."""
    parts = library.parts
    await Sweep(parts.catalog, parts.storage, clock=lambda: now).once()
    await cleared(parts.catalog, now=now)


async def _size(library: Library) -> int:
    """Tell the bytes of all tables, once PostgreSQL has made room in them as it does by itself."""
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
    tables = [each.name for each in (photos, sessions, codes)]

    async def read(connection: AsyncConnection) -> dict[str, int]:
        return {
            name: await connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0
            for name in (*tables, "procrastinate_jobs", "procrastinate_events")
        }

    return await library.parts.catalog.read(read)

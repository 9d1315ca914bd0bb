"""The catalog and the worker behind PgBouncer."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from safelight.catalog import Catalog
from safelight.engines import EmbeddedEngines
from safelight.errors import SettingsError
from safelight.jobs import Task, Worker, enqueue
from support.databases import database
from support.pgbouncer import run_pgbouncer

pytestmark = pytest.mark.debian


@pytest.fixture
def database_url(engines: EmbeddedEngines) -> Iterator[str]:
    with database(engines) as url:
        yield url


async def test_session_pooling_works_for_queries_and_jobs(
    database_url: str, open_tmp_path: Path
) -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    with run_pgbouncer(database_url, open_tmp_path, pool_mode="session") as url:
        catalog = Catalog(url)
        try:
            await catalog.upgrade()
            await catalog.ping()
            async with Worker(catalog.conninfo, [Task(name="work", work=work)]).running():
                await catalog.transaction(lambda connection: enqueue(connection, "work"))
                await asyncio.wait_for(done.wait(), 120)
        finally:
            await catalog.close()


@pytest.mark.parametrize("pool_mode", ["transaction", "statement"])
async def test_other_pooling_is_refused_at_the_start(
    database_url: str, open_tmp_path: Path, pool_mode: str
) -> None:
    with run_pgbouncer(database_url, open_tmp_path, pool_mode=pool_mode) as url:
        catalog = Catalog(url)
        with pytest.raises(SettingsError, match="pool_mode = session"):
            await catalog.upgrade()
        await catalog.close()

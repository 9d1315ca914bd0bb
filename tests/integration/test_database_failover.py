"""A PostgreSQL server that becomes read-only, ends sessions, or is one of several."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import Catalog
from safelight.engines import EmbeddedEngines
from safelight.errors import CatalogUnavailable, SettingsError
from safelight.jobs import Task, Worker, enqueue
from safelight.models import Caption

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def catalog(database_url: str) -> AsyncIterator[Catalog]:
    catalog = Catalog(database_url)
    yield catalog
    await catalog.close()


@contextmanager
def read_only(engines: EmbeddedEngines, database_url: str) -> Iterator[None]:
    """Make new sessions of a database read-only, as those of a standby are, and end the others."""
    name = str(make_url(database_url).database)
    with psycopg.connect(engines.superuser_url, autocommit=True) as connection:
        alter = sql.SQL("ALTER DATABASE {} {} default_transaction_read_only {}")
        connection.execute(alter.format(sql.Identifier(name), sql.SQL("SET"), sql.SQL("= on")))
        end_sessions(connection, name)
        yield
        connection.execute(alter.format(sql.Identifier(name), sql.SQL("RESET"), sql.SQL("")))


def end_sessions(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    connection.execute(
        # Wait until they have ended, up to two minutes.
        "SELECT pg_terminate_backend(pid, 120000) FROM pg_stat_activity WHERE datname = %s",
        [name],
    )


async def reserve(catalog: Catalog) -> None:
    await catalog.reservations.reserve(
        "alice", Caption(), storage_id=keys.new_storage_id(), now=NOW
    )


async def enqueue_nothing(catalog: Catalog) -> None:
    await catalog.transaction(lambda connection: enqueue(connection, "nothing"))


@pytest.mark.parametrize("change", [reserve, enqueue_nothing])
async def test_read_only_server_is_unavailable_and_left_at_once(
    engines: EmbeddedEngines,
    database_url: str,
    catalog: Catalog,
    change: Callable[[Catalog], Awaitable[None]],
) -> None:
    await change(catalog)
    with read_only(engines, database_url):
        for call in (change, Catalog.ping):
            with pytest.raises(CatalogUnavailable):
                await call(catalog)
        # Connections to the read-only server, several of them.
        await asyncio.gather(*(catalog.photos("alice", []) for _ in range(5)))
    with pytest.raises(CatalogUnavailable):
        await change(catalog)  # the first connection shows it, and all are discarded
    await asyncio.gather(*(change(catalog) for _ in range(5)))
    await catalog.ping()


async def test_ended_session_is_replaced(
    engines: EmbeddedEngines, database_url: str, catalog: Catalog
) -> None:
    await reserve(catalog)
    with psycopg.connect(engines.superuser_url, autocommit=True) as connection:
        end_sessions(connection, str(make_url(database_url).database))
    with pytest.raises(CatalogUnavailable):
        await reserve(catalog)
    await reserve(catalog)


async def test_session_that_ends_within_a_transaction_is_unavailable(catalog: Catalog) -> None:
    async def wait(connection: AsyncConnection) -> None:
        await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10ms'"))
        for _ in range(100):
            await asyncio.sleep(0.2)
            await connection.execute(text("SELECT 1"))

    with pytest.raises(CatalogUnavailable):
        await catalog.transaction(wait)
    await catalog.ping()


async def test_second_server_is_used_when_the_first_is_down(database_url: str) -> None:
    url = make_url(database_url)
    both = url.update_query_dict({"host": f"127.0.0.1,{url.query['host']}", "port": "1,5432"})
    catalog = Catalog(both.render_as_string(hide_password=False))
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    try:
        await catalog.upgrade()
        await reserve(catalog)
        async with Worker(catalog.conninfo, [Task(name="work", work=work)]).running():
            await catalog.transaction(lambda connection: enqueue(connection, "work"))
            await asyncio.wait_for(done.wait(), 120)
    finally:
        await catalog.close()


async def test_read_only_server_without_another_stops_the_start(
    engines: EmbeddedEngines, database_url: str
) -> None:
    url = make_url(database_url)
    twice = url.update_query_dict({"host": ",".join([str(url.query["host"])] * 2)})
    catalog = Catalog(twice.render_as_string(hide_password=False))
    with (
        read_only(engines, database_url),
        pytest.raises(
            SettingsError, match=r"PostgreSQL is read-only.* The message was: .*read-only"
        ),
    ):
        await catalog.upgrade()
    await catalog.close()


async def test_schema_of_the_url_holds_for_the_worker_too(
    engines: EmbeddedEngines, empty_database: str
) -> None:
    url = make_url(empty_database)
    with psycopg.connect(Catalog(empty_database).conninfo, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA photos")
    within = url.update_query_dict({"options": "-c search_path=photos"})
    catalog = Catalog(within.render_as_string(hide_password=False))
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    try:
        await catalog.upgrade()
        async with Worker(catalog.conninfo, [Task(name="work", work=work)]).running():
            await catalog.transaction(lambda connection: enqueue(connection, "work"))
            await asyncio.wait_for(done.wait(), 120)
    finally:
        await catalog.close()

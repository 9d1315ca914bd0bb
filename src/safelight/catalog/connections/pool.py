"""Open a pool of connections to PostgreSQL, directly or through PgBouncer, and use them.

Nothing here limits the time of a call or translates its errors: `Database` does.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors as pg
from sqlalchemy import URL, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from safelight.catalog.connections.url import count_hosts
from safelight.catalog.queries import Query
from safelight.errors import SettingsError

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

_IDLE_SECONDS: Final = 1.0
"""A connection whose last use began longer ago is tested before it is used."""

_SESSION: Final = (
    "SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s';"
    " SET timezone = 'UTC'; SET default_transaction_isolation = 'read committed'"
)
"""Set by a statement: PgBouncer refuses them as options of the connection."""

UNUSABLE: Final = (
    pg.ReadOnlySqlTransaction,  # after a failover, of the server that was the primary
    pg.IdleInTransactionSessionTimeout,
    pg.TransactionTimeout,
)
"""Errors after which another connection may work, though this one isn't closed."""


SHARED_SESSIONS: Final = (
    "SAFELIGHT_DATABASE_URL leads to a pooler that shares sessions between transactions. Set"
    " pool_mode = session for this database in PgBouncer, or connect to PostgreSQL directly."
)


def open_pool(url: URL, *, deadline: timedelta, size: int) -> AsyncEngine:
    """Return an engine with at most `size` connections, which are opened when they are needed.

    A call waits for a connection until the `deadline`, and shares it among the servers of the URL.
    """
    seconds = deadline.total_seconds()
    engine = create_async_engine(
        url,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_size=size,
        max_overflow=0,
        # Otherwise error messages would contain titles and file names.
        hide_parameters=True,
        pool_timeout=seconds,
        pool_use_lifo=True,
        # TCP doesn't notice for hours that a server hangs.
        connect_args={
            "connect_timeout": max(2, int(seconds / count_hosts(url))),
            "application_name": "safelight",
        },
    )
    _configure_sessions(engine)
    _discard_unusable(engine)
    _ping_idle(engine)
    return engine


async def require_sessions(engine: AsyncEngine) -> None:
    """Raise SettingsError if PgBouncer gives two connections to one session of PostgreSQL.

    Locks, settings and notifications of a session are needed.
    """
    async with engine.connect() as first, engine.connect() as second:
        pids = [
            await connection.scalar(text("SELECT pg_backend_pid()"))
            for connection in (first, second)
        ]
    if len(set(pids)) == 1:
        raise SettingsError(SHARED_SESSIONS)


def _configure_sessions(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(_SESSION)
        cursor.close()
        connection.commit()


def _discard_unusable(engine: AsyncEngine) -> None:
    """Treat an unusable connection as a lost one: close it, and those that are as old."""

    @event.listens_for(engine.sync_engine, "handle_error")
    def note(context: ExceptionContext) -> None:
        if isinstance(context.original_exception, UNUSABLE):
            context.is_disconnect = True


def _ping_idle(engine: AsyncEngine) -> None:
    """Test connections that have been idle before they are used.

    SQLAlchemy's own `pool_pre_ping` tests each time, which costs more than a page's query.
    """
    dialect = engine.sync_engine.dialect

    @event.listens_for(engine.sync_engine, "checkout")
    def ping(
        connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection
    ) -> None:
        now = time.monotonic()
        last = entry.info.get("used at", now)
        entry.info["used at"] = now
        if now - last < _IDLE_SECONDS:
            return
        try:
            dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError from error


async def run_in_transaction(engine: AsyncEngine, work: Work[T]) -> T:
    """Run `work` on a connection of the pool, in a transaction that is committed at its end."""
    async with engine.connect() as pooled:
        connection = await pooled.execution_options(isolation_level="READ COMMITTED")
        async with connection.begin():
            return await work(connection)


async def run_alone(
    engine: AsyncEngine,
    query: Query,
    parameters: Mapping[str, object],
    *,
    in_transaction: bool = False,
) -> list[tuple[Any, ...]]:
    """Return the rows of a query on a connection of the pool. Raises as `run_on` does."""
    async with engine.connect() as connection:
        try:
            return await run_on(connection, query, parameters, in_transaction=in_transaction)
        except psycopg.IntegrityError:
            raise
        except BaseException as error:
            # psycopg was used directly, so SQLAlchemy doesn't know the connection's state.
            await connection.invalidate()
            if isinstance(error, UNUSABLE):  # the others are probably to the same server
                await engine.dispose()
            raise


async def run_on(
    connection: AsyncConnection,
    query: Query,
    parameters: Mapping[str, object],
    *,
    in_transaction: bool = False,
) -> list[tuple[Any, ...]]:
    """Return the rows of a query, by psycopg alone, on a connection of `open_pool`.

    It is part of the connection's transaction if there is one; `in_transaction` starts one.
    Raises psycopg's own errors.
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    async with driver.transaction() if in_transaction else nullcontext():
        cursor = await driver.execute(query.sql, parameters, prepare=True)
        rows: list[tuple[Any, ...]] = await cursor.fetchall()
        return rows

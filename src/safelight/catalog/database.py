"""The way to PostgreSQL: pooled connections, a deadline for every call, errors in our terms."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Executable, Select, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from safelight.catalog.queries import Query
from safelight.errors import CatalogUnavailable, SafelightError, SettingsError, StorageFull
from safelight.trail import step

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

_RESTED: Final = 1.0
"""Seconds after which a connection is asked whether it still lives before it is used again."""

_BATCH: Final = 1000
"""Rows of a batch of `drain`: some tens of milliseconds."""

_OPTIONS: Final = (
    "-c statement_timeout=30s -c idle_in_transaction_session_timeout=60s -c timezone=UTC"
)

_log = logging.getLogger(__name__)


class Database:
    """PostgreSQL behind a pool. Every call ends within `deadline`, whatever the server does."""

    def __init__(self, url: str, *, deadline: timedelta, pool_size: int = 10) -> None:
        self._deadline = deadline.total_seconds()
        where = _psycopg(url)
        self._engine: AsyncEngine = create_async_engine(
            where,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            pool_size=pool_size,
            max_overflow=0,
            # Else its errors tell them: titles and file names.
            hide_parameters=True,
            pool_timeout=self._deadline,
            pool_use_lifo=True,
            # A server that hangs is not noticed by TCP for hours.
            connect_args={
                "connect_timeout": max(2, int(self._deadline)),
                "options": " ".join((*where.normalized_query.get("options", ()), _OPTIONS)),
                "application_name": "safelight",
            },
        )
        _ask_the_rested(self._engine)

    @property
    def url(self) -> str:
        """Where it is, password and all, as SQLAlchemy's async engine takes it."""
        return self._engine.url.render_as_string(hide_password=False)

    async def close(self) -> None:
        """Close the pool's connections."""
        await self._engine.dispose()

    async def transaction(self, work: Work[T], *, deadline: timedelta | None = None) -> T:
        """Run `work` in one transaction, committed if it returns.

        Raises CatalogUnavailable past the deadline or when PostgreSQL is away, StorageFull when
        its disk is full. After CatalogUnavailable the commit may have happened or not.
        """

        async def committed() -> T:
            async with self._engine.connect() as connection:
                level = await connection.execution_options(isolation_level="READ COMMITTED")
                async with level.begin():
                    return await work(level)

        return await self._within("transaction", committed(), deadline)

    async def drain(self, keys: Select[T], done: Callable[[Sequence[T]], Executable]) -> int:
        """Do to all rows that `keys` selects what has them no longer selected.

        `done` gives the statement for some of the keys. Each batch is a transaction: however many
        rows there are, none runs into the deadline, and what is done stays done. Returns their
        number. Raises as `transaction` does.
        """
        some = keys.limit(_BATCH)

        async def batch(connection: AsyncConnection) -> int:
            found = (await connection.execute(some)).scalars().all()
            if found:
                await connection.execute(done(found))
            return len(found)

        count = 0
        while count % _BATCH == 0 and (found := await self.transaction(batch)):
            count += found
        return count

    async def read(self, work: Work[T]) -> T:
        """Run `work` without a transaction around it: each statement sees its own snapshot.

        It may be run a second time, when its connection turns out to be lost.
        """

        async def fetched() -> T:
            async with self._engine.connect() as connection:
                return await work(connection)

        return await self._within("read", _repeated(fetched), None)

    async def rows(self, query: Query, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Read by psycopg itself, for what is asked most: a third of the CPU of `read`.

        It may be sent a second time, as in `read`.
        """
        fetched = _repeated(lambda: self._sent(query, parameters))
        return await self._within("read", fetched, None)

    async def change(self, query: Query, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Change by one statement, and give what it returns. Raises as `transaction` does.

        In a transaction nevertheless: a server that hung and comes back would carry out the
        statement after we gave it up, but has no commit to carry out. Raises psycopg's
        IntegrityError too.
        """
        changed = self._sent(query, parameters, in_transaction=True)
        return await self._within("change", changed, None)

    async def _sent(
        self, query: Query, parameters: Mapping[str, object], *, in_transaction: bool = False
    ) -> list[tuple[Any, ...]]:
        async with self._engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            try:
                async with driver.transaction() if in_transaction else nullcontext():
                    rows = await _asked(driver, query, parameters)
            except psycopg.IntegrityError:
                raise
            except BaseException:
                # What state it is in, SQLAlchemy can't know.
                await connection.invalidate()
                raise
            return rows

    async def _within(self, what: str, work: Awaitable[T], deadline: timedelta | None) -> T:
        with step(f"catalog {what}"):
            return await self._in_time(work, deadline)

    async def _in_time(self, work: Awaitable[T], deadline: timedelta | None) -> T:
        seconds = deadline.total_seconds() if deadline else self._deadline
        task = asyncio.ensure_future(work)
        try:
            # Not asyncio.timeout: it would wait for the cancelled work, and a driver asks a
            # server that hangs to cancel, and waits for the answer.
            done, _ = await asyncio.wait({task}, timeout=seconds)
        except asyncio.CancelledError:
            _abandon(task)
            raise
        if not done:
            _abandon(task)
            raise CatalogUnavailable
        return _result(task)


async def fetched(
    connection: AsyncConnection, query: Query, parameters: Mapping[str, object]
) -> list[tuple[Any, ...]]:
    """Ask by psycopg itself on a connection of Database's, in whatever transaction that is.

    Raises psycopg's own errors.
    """
    return await _asked(
        (await connection.get_raw_connection()).driver_connection, query, parameters
    )


async def _asked(
    driver: Any,  # noqa: ANN401  psycopg's, which SQLAlchemy doesn't name
    query: Query,
    parameters: Mapping[str, object],
) -> list[tuple[Any, ...]]:
    cursor = await driver.execute(query.sql, parameters, prepare=True)
    found: list[tuple[Any, ...]] = await cursor.fetchall()
    return found


def _abandon(task: asyncio.Future[T]) -> None:
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    task.cancel()


def _result(task: asyncio.Future[T]) -> T:
    try:
        return task.result()
    except (SafelightError, NotImplementedError):
        raise
    except (DBAPIError, psycopg.Error) as error:
        raise _in_our_terms(error) from error
    except (SQLAlchemyError, OSError) as error:
        raise CatalogUnavailable from error


async def _repeated(fetched: Callable[[], Awaitable[T]]) -> T:
    """Read once more if the first connection was lost, as all are when PostgreSQL was restarted."""
    try:
        return await fetched()
    except (DBAPIError, psycopg.Error) as error:
        if not _lost(error):
            raise
    return await fetched()


def _lost(error: DBAPIError | psycopg.Error) -> bool:
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    shut = (pg.AdminShutdown, pg.CrashShutdown)
    return isinstance(error, shut) or (
        isinstance(error, pg.OperationalError) and error.sqlstate is None
    )


def _in_our_terms(error: DBAPIError | psycopg.Error) -> Exception:
    """Tell an engine that is away from one that is full and from a mistake of ours."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, pg.DiskFull):
        return StorageFull()
    if _lost(error) or isinstance(cause, pg.OperationalError):
        return CatalogUnavailable()
    return error


def _ask_the_rested(engine: AsyncEngine) -> None:
    """Have a connection asked whether it lives before it is used, unless it was just in use.

    SQLAlchemy's own `pool_pre_ping` asks each time, which costs more than a page's query.
    """
    dialect = engine.sync_engine.dialect

    @event.listens_for(engine.sync_engine, "checkin")
    def rests(_connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        entry.info["rests since"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def asked(
        connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection
    ) -> None:
        since = entry.info.get("rests since")
        if since is None or time.monotonic() - since < _RESTED:
            return
        try:
            dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError from error


def _psycopg(url: str) -> URL:
    try:
        read = make_url(url).set(drivername="postgresql+psycopg")
    except (SQLAlchemyError, ValueError) as error:
        raise SettingsError(
            "SAFELIGHT_DATABASE_URL can't be read: give it as"
            " postgresql://USER:PASSWORD@HOST:PORT/NAME"
        ) from error
    try:
        make_conninfo(**dict.fromkeys(read.query, ""))
    except psycopg.ProgrammingError as error:
        raise SettingsError(
            "SAFELIGHT_DATABASE_URL has an option that PostgreSQL doesn't know:"
            f" {str(error).strip()}"
        ) from error
    return read

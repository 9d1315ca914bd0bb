"""The way to PostgreSQL: pooled connections, a deadline for every call, errors in our terms."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from psycopg import errors as pg
from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from safelight.errors import CatalogUnavailable, SafelightError, SettingsError, StorageFull

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

_log = logging.getLogger(__name__)


class Database:
    """PostgreSQL behind a pool. Every call ends within `deadline`, whatever the server does."""

    def __init__(self, url: str, *, deadline: timedelta, pool_size: int = 10) -> None:
        self._deadline = deadline.total_seconds()
        self._engine: AsyncEngine = create_async_engine(
            _psycopg(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=self._deadline,
            pool_pre_ping=True,
            # A server that hangs is not noticed by TCP for hours.
            connect_args={
                "connect_timeout": max(2, int(self._deadline)),
                "options": "-c statement_timeout=30s -c idle_in_transaction_session_timeout=60s"
                " -c timezone=UTC",
                "application_name": "safelight",
            },
        )

    async def close(self) -> None:
        """Close the pool's connections."""
        await self._engine.dispose()

    async def transaction(self, work: Work[T], *, deadline: timedelta | None = None) -> T:
        """Run `work` in one transaction, committed if it returns.

        Raises CatalogUnavailable past the deadline or when PostgreSQL is away, StorageFull when
        its disk is full. After CatalogUnavailable the commit may have happened or not.
        """

        async def committed() -> T:
            async with self._engine.begin() as connection:
                return await work(connection)

        return await self._within(committed(), deadline)

    async def read(self, work: Work[T]) -> T:
        """Run `work` without a transaction around it: each statement sees its own snapshot."""

        async def fetched() -> T:
            async with self._engine.connect() as connection:
                autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
                return await work(autocommit)

        return await self._within(fetched(), None)

    async def _within(self, work: Awaitable[T], deadline: timedelta | None) -> T:
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


def _abandon(task: asyncio.Future[T]) -> None:
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    task.cancel()


def _result(task: asyncio.Future[T]) -> T:
    try:
        return task.result()
    except (SafelightError, NotImplementedError):
        raise
    except DBAPIError as error:
        raise _in_our_terms(error) from error
    except (SQLAlchemyError, OSError) as error:
        raise CatalogUnavailable from error


def _in_our_terms(error: DBAPIError) -> Exception:
    """Tell an engine that is away from one that is full and from a mistake of ours."""
    cause = error.orig
    if isinstance(cause, pg.DiskFull):
        return StorageFull()
    if error.connection_invalidated or isinstance(cause, pg.OperationalError):
        return CatalogUnavailable()
    return error


def _psycopg(url: str) -> URL:
    try:
        return make_url(url).set(drivername="postgresql+psycopg")
    except (SQLAlchemyError, ValueError) as error:
        raise SettingsError(
            "SAFELIGHT_DATABASE_URL can't be read: give it as"
            " postgresql://USER:PASSWORD@HOST:PORT/NAME"
        ) from error

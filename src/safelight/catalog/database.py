"""Pooled connections to PostgreSQL, with a deadline for each call and errors of our own.

Every call goes through `_run`, which limits its time, traces it and translates its errors.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors as pg
from sqlalchemy import Executable, Select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.connections.pool import (
    UNUSABLE,
    Work,
    open_pool,
    require_sessions,
    run_alone,
    run_in_transaction,
)
from safelight.catalog.connections.url import conninfo, parse_url
from safelight.catalog.queries import Query
from safelight.errors import CatalogUnavailable, SafelightError, StorageFull, UsageError
from safelight.tracing import span

T = TypeVar("T")

_BATCH: Final = 1000
"""Rows in a batch of `process_in_batches`: some tens of milliseconds."""


class Database:
    """A pool of connections. Every call ends within `deadline`, whatever the server does."""

    def __init__(self, url: str, *, deadline: timedelta, pool_size: int = 10) -> None:
        self._deadline = deadline
        self._url = parse_url(url)
        self._engine = open_pool(self._url, deadline=deadline, size=pool_size)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """The database's URL with the password, for SQLAlchemy's async engine."""
        return self._url.render_as_string(hide_password=False)

    @property
    def conninfo(self) -> str:
        """The same for psycopg alone."""
        return conninfo(self._url)

    async def require_sessions(self) -> None:
        """Raise SettingsError if a pooler shares PostgreSQL's sessions between transactions."""
        await self._run("read", partial(require_sessions, self._engine))

    async def close(self) -> None:
        """Close the pool's connections."""
        await self._engine.dispose()

    async def read(self, work: Work[T]) -> T:
        """Run `work` without a transaction, so that each statement has its own snapshot.

        It runs a second time if its connection turns out to be lost.
        """

        async def run() -> T:
            async with self._engine.connect() as connection:
                return await work(connection)

        return await self._run("read", run, repeats=True)

    async def transaction(self, work: Work[T], *, deadline: timedelta | None = None) -> T:
        """Run `work` in a transaction, which is committed when it returns.

        Raises CatalogUnavailable after the deadline or when PostgreSQL is down, StorageFull when
        its disk is full. After CatalogUnavailable the transaction may have been committed or not.
        """
        return await self._run(
            "transaction", partial(run_in_transaction, self._engine, work), deadline=deadline
        )

    async def fetch_all(
        self, query: Query, parameters: Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Like `read`, but for a third of its CPU, by psycopg alone."""
        return await self._run(
            "read", partial(run_alone, self._engine, query, parameters), repeats=True
        )

    async def execute(
        self, query: Query, parameters: Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        """Run one statement that changes rows, and return its rows. Raises as `transaction` does.

        It runs in a transaction, since a server that hung executes the statements that it has
        received when it recovers, but without a commit they change nothing. Raises psycopg's
        IntegrityError too.
        """
        return await self._run(
            "change", partial(run_alone, self._engine, query, parameters, in_transaction=True)
        )

    async def process_in_batches(
        self, keys: Select[T], make_statement: Callable[[Sequence[T]], Executable]
    ) -> int:
        """Process all rows that `keys` selects, and return their number.

        `make_statement` returns the statement for some of the keys; after it, `keys` must no longer
        select them. Each batch is a transaction, so that any number of rows stays within the
        deadline. Raises as `transaction` does; earlier batches stay committed.
        """
        next_keys = keys.limit(_BATCH)

        async def process_batch(connection: AsyncConnection) -> int:
            found = (await connection.execute(next_keys)).scalars().all()
            if found:
                await connection.execute(make_statement(found))
            return len(found)

        count = 0
        while count % _BATCH == 0 and (found := await self.transaction(process_batch)):
            count += found
        return count

    async def _run(
        self,
        verb: str,
        work: Callable[[], Awaitable[T]],
        *,
        deadline: timedelta | None = None,
        repeats: bool = False,
    ) -> T:
        """Run `work`, and repeat it once if its connection was lost and it `repeats`.

        All connections are lost when PostgreSQL restarts.
        """
        if self._loop is not asyncio.get_running_loop():
            self._claim_loop()
        end = time.monotonic() + (deadline or self._deadline).total_seconds()
        with span(f"catalog {verb}"):
            for is_last in (not repeats, True):
                task = asyncio.ensure_future(work())
                try:
                    # asyncio.timeout would wait for the cancelled work: psycopg asks the server to
                    # cancel, and a server that hangs doesn't answer.
                    done, _ = await asyncio.wait({task}, timeout=end - time.monotonic())
                except asyncio.CancelledError:
                    _abandon(task)
                    raise
                if not done:
                    _abandon(task)
                    break
                try:
                    return task.result()
                except (SafelightError, NotImplementedError):
                    raise
                except (DBAPIError, psycopg.Error) as error:
                    if is_last or not _is_lost(error):
                        raise _translate_error(error) from error
                except (SQLAlchemyError, OSError) as error:
                    raise CatalogUnavailable from error
            raise CatalogUnavailable

    def _claim_loop(self) -> None:
        """Belong to the event loop of the first call, as the pool's connections do.

        Raises UsageError on another one. Every call of a library comes here first.
        """
        if self._loop is not None:
            raise UsageError(
                "The library was started on another event loop. Use it only on that one: within"
                " the same app, or the same asyncio.run()."
            )
        self._loop = asyncio.get_running_loop()


def _abandon(task: asyncio.Future[T]) -> None:
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    task.cancel()


def _is_lost(error: DBAPIError | psycopg.Error) -> bool:
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    shut_down = (pg.AdminShutdown, pg.CrashShutdown)
    return isinstance(error, shut_down) or (
        isinstance(error, pg.OperationalError) and error.sqlstate is None
    )


def _translate_error(error: DBAPIError | psycopg.Error) -> Exception:
    """Return the error to raise: the database is down, its disk is full, or it is a bug of ours."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, pg.DiskFull):
        return StorageFull()
    if _is_lost(error) or isinstance(cause, (pg.OperationalError, *UNUSABLE)):
        return CatalogUnavailable()
    return error

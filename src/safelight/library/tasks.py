"""The tasks: what the library has done by jobs, and when.

Each may run twice, and several at once; none needs another to have run before.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import jobs
from safelight.catalog import Catalog
from safelight.errors import NotFound, Unavailable
from safelight.jobs import Task
from safelight.library.incoming import Incoming
from safelight.library.prints import Prints
from safelight.library.sweep import Sweep
from safelight.photo import Photo

_log = logging.getLogger(__name__)

PURGE: Final = "purge"
_PURGE_AFTER = timedelta(seconds=5)
"""By then whoever deleted the photo has purged it, or won't."""

CLEAR: Final = "incoming"

DEVELOP: Final = "develop"
_AFTER_OTHERS: Final = -1
"""Its priority: a crowd of photos to develop must not keep deleted ones in the store."""

_BATCH: Final = 1000

_KEEP_ENDED = timedelta(days=1)
_KEEP_FAILED = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeveloped:
    """How many photos lacked renditions; `next` is where to go on, None at the end."""

    photos: int
    next: int | None


async def purge_later(connection: AsyncConnection) -> None:
    """Have tombstones purged after the connection's transaction is committed."""
    await jobs.enqueue(connection, PURGE, after=_PURGE_AFTER)


async def clear_later(connection: AsyncConnection) -> None:
    """Have what was sent for ended uploads cleared away after the transaction is committed."""
    await jobs.enqueue(connection, CLEAR, after=_PURGE_AFTER)


async def develop_later(connection: AsyncConnection, photo: Photo) -> None:
    """Have a photo's missing renditions made after the connection's transaction is committed."""
    await jobs.enqueue_each(connection, DEVELOP, [_about(photo)], priority=_AFTER_OTHERS)


async def develop_row_later(connection: AsyncConnection, *, owner: str, id_: int) -> None:
    """Do the same for a photo that is known by its row alone."""
    about: dict[str, str | int] = {"owner": owner, "id": id_}
    await jobs.enqueue(connection, DEVELOP, about=about, priority=_AFTER_OTHERS)


async def develop_each_later(
    catalog: Catalog, prints: Prints, owner: str, *, after: int
) -> Undeveloped:
    """Have made what an owner's photos lack, of those that come next by their ids."""
    found = await catalog.next(owner, after=after, limit=_BATCH)
    lacking = [_about(photo) for photo in found if prints.lacks(photo.facts, photo.renditions)]
    if lacking:
        await catalog.change(
            lambda connection: jobs.enqueue_each(
                connection, DEVELOP, lacking, priority=_AFTER_OTHERS
            )
        )
    return Undeveloped(photos=len(lacking), next=found[-1].id if len(found) == _BATCH else None)


def _about(photo: Photo) -> dict[str, str | int]:
    return {"owner": photo.owner, "id": photo.id}


def tasks(  # noqa: PLR0913  a library has these
    catalog: Catalog,
    sweep: Sweep,
    incoming: Incoming,
    prints: Prints,
    clock: Callable[[], datetime],
    *,
    reconcile: Callable[[], Awaitable[object]],
) -> list[Task]:
    """List all tasks of a library. `reconcile` is what is safe to be put right unasked."""

    async def develop(*, owner: str, id: int) -> None:  # noqa: A002  as it is in the job
        with contextlib.suppress(NotFound):  # it was deleted meanwhile
            await prints.complete(await catalog.photo(owner, id))

    async def swept() -> None:
        await settled(sweep, incoming)

    async def clear() -> None:
        await cleared(catalog, now=clock())

    return [
        Task(name=PURGE, work=sweep.purge),
        Task(name=DEVELOP, work=develop),
        Task(name=CLEAR, work=incoming.clear),
        Task(name="sweep", work=_patient(swept), cron="* * * * *"),
        Task(name="clear", work=_patient(clear), cron="17 * * * *"),
        Task(name="reconcile", work=_patient(reconcile), cron="41 4 * * *"),
    ]


async def settled(sweep: Sweep, incoming: Incoming) -> None:
    """Do what follows from the rows: undo what was given up, purge what was deleted."""
    try:
        await sweep.once()
    finally:  # photos that can't be purged keep no upload
        await incoming.once()


async def cleared(catalog: Catalog, *, now: datetime) -> None:
    """Drop what has ended: sessions, one-time codes, old jobs."""
    await catalog.sessions.clear(now=now)
    # So few at a time that a crowd of them, as an import leaves, never runs into the deadline.
    after: int | None = 0
    while after is not None:
        after = await catalog.change(
            partial(
                jobs.clear,
                ended=now - _KEEP_ENDED,
                failed=now - _KEEP_FAILED,
                after=after,
                limit=_BATCH,
            )
        )


def _patient(work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """Leave it to the next time if an engine is away: that is soon, and nobody's fault."""

    async def tried() -> None:
        try:
            await work()
        except Unavailable as error:
            _log.warning("it is tried again at its next time: %s", error)

    return tried

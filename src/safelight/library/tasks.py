"""The tasks that the library's jobs run, and when.

Each may run twice, or several times at once; none relies on another having run before.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import jobs
from safelight.catalog import Catalog
from safelight.errors import NotFound, Unavailable
from safelight.jobs import Task
from safelight.library.processing.on_demand import OnDemandRenditions
from safelight.library.processing.reinspection import Reinspection
from safelight.library.processing.renditions import RenditionMaker
from safelight.library.results import JobBatch
from safelight.library.sweep import Sweep
from safelight.library.uploads.upload_cleanup import UploadCleanup
from safelight.models import INSPECTION, Photo

_log = logging.getLogger(__name__)

PURGE: Final = "purge"
PURGE_DELAY = timedelta(seconds=5)
"""By then the request that deleted the photo has purged it, or won't."""

REKEY: Final = "rekey"
_REKEY_DELAY = timedelta(seconds=3)
"""By then the request that revoked the links has copied the photo, or is copying its last ones."""

CLEAR: Final = "incoming"

RENDER: Final = "develop"
REINSPECT: Final = "reinspect"
_TURN_DELAY = timedelta(seconds=3)
"""By then the request that turned photos has made the first rendition of each, or won't."""
_LOW_PRIORITY: Final = -1
"""Many photos to render must not delay the deletion of others from the store."""

_BATCH: Final = 1000

_KEEP_ENDED = timedelta(days=1)
_KEEP_FAILED = timedelta(days=30)


enqueue_purge: Final = partial(jobs.enqueue, task=PURGE, after=PURGE_DELAY)
"""Enqueue the purge of tombstones; it runs after the transaction is committed."""

enqueue_rekey: Final = partial(jobs.enqueue, task=REKEY, after=_REKEY_DELAY)
"""Enqueue the re-keying of photos whose links were revoked; it runs after the commit."""

enqueue_clear: Final = partial(jobs.enqueue, task=CLEAR, after=PURGE_DELAY)
"""Enqueue the clearing of ended uploads; it runs after the transaction is committed."""


def enqueue_render(connection: AsyncConnection, photo: Photo) -> Awaitable[None]:
    """Enqueue a photo's missing renditions; they are made after the transaction is committed."""
    args: dict[str, str | int] = {"owner": photo.owner, "id": photo.id}
    return jobs.enqueue_each(connection, RENDER, [args], priority=_LOW_PRIORITY)


def enqueue_render_for_row(connection: AsyncConnection, *, owner: str, id_: int) -> Awaitable[None]:
    """Do the same for a photo of which only the row's id is known."""
    args: dict[str, str | int] = {"owner": owner, "id": id_}
    return jobs.enqueue(connection, RENDER, args=args, priority=_LOW_PRIORITY)


def enqueue_turned(connection: AsyncConnection, photos: Sequence[Photo]) -> Awaitable[None]:
    """Enqueue the renditions of photos that were turned, all of which are missing."""
    args: list[dict[str, str | int]] = [{"owner": photo.owner, "id": photo.id} for photo in photos]
    return jobs.enqueue_each(connection, RENDER, args, after=_TURN_DELAY, priority=_LOW_PRIORITY)


async def enqueue_missing_renditions(
    catalog: Catalog,
    renditions: RenditionMaker,
    owner: str,
    *,
    after: int,
    demanded: bool = False,
) -> JobBatch:
    """Enqueue the missing renditions of the owner's next photos, by their ids.

    With `demanded`, also those that are made on demand.
    """

    def lacks_some(photo: Photo) -> bool:
        return bool(renditions.missing(photo, demanded=demanded))

    # Not for others: an earlier version doesn't know the argument.
    args = {"demanded": True} if demanded else {}
    return await _enqueue_for_photos(catalog, RENDER, lacks_some, owner, after=after, args=args)


async def enqueue_reinspections(catalog: Catalog, owner: str, *, after: int) -> JobBatch:
    """Enqueue the inspection of the owner's next photos that an earlier version inspected."""

    def is_outdated(photo: Photo) -> bool:
        return photo.inspection < INSPECTION

    return await _enqueue_for_photos(catalog, REINSPECT, is_outdated, owner, after=after)


async def _enqueue_for_photos(
    catalog: Catalog,
    task: str,
    is_needed: Callable[[Photo], bool],
    owner: str,
    *,
    after: int,
    args: Mapping[str, str | int] | None = None,
) -> JobBatch:
    photos = await catalog.next_photos(owner, after=after, limit=_BATCH)
    wanted: list[dict[str, str | int]] = [
        {"owner": photo.owner, "id": photo.id, **(args or {})}
        for photo in photos
        if is_needed(photo)
    ]
    if wanted:
        await catalog.transaction(
            lambda connection: jobs.enqueue_each(connection, task, wanted, priority=_LOW_PRIORITY)
        )
    return JobBatch(photos=len(wanted), next=photos[-1].id if len(photos) == _BATCH else None)


def make_tasks(
    catalog: Catalog,
    sweep: Sweep,
    uploads: UploadCleanup,
    renditions: RenditionMaker,
    on_demand: OnDemandRenditions,
    *,
    reinspection: Reinspection,
    clock: Callable[[], datetime],
    rekey: Callable[[], Awaitable[object]],
    delete_expired: Callable[[], Awaitable[object]],
    reconcile: Callable[[], Awaitable[object]],
) -> list[Task]:
    """List all tasks of a library. `reconcile` repairs what is safe to repair unattended.

    `rekey` makes revoked links die, and `delete_expired` deletes what was in the trash too long.
    """

    async def render(*, owner: str, id: int, demanded: bool = False) -> None:  # noqa: A002  the name in the job
        with contextlib.suppress(NotFound):  # the photo was deleted meanwhile
            photo = await catalog.photo(owner, id, in_trash_too=True)
            await renditions.render_missing(photo, demanded=demanded)

    async def reinspect(*, owner: str, id: int) -> None:  # noqa: A002  the name in the job
        with contextlib.suppress(NotFound):
            await reinspection.run(owner, id)

    async def sweep_all() -> None:
        # Not a task of its own: workers of an earlier version would fail its jobs.
        await catalog.month_counts.fold_all()
        await catalog.changes.fold_all()
        try:
            await settle(sweep, uploads, on_demand)
        finally:
            await rekey()
        await catalog.search.fill()

    async def clear() -> None:
        await clear_expired(catalog, now=clock())
        await delete_expired()

    return [
        Task(name=PURGE, work=sweep.purge),
        Task(name=RENDER, work=render),
        Task(name=REINSPECT, work=reinspect),
        Task(name=REKEY, work=rekey),
        Task(name=CLEAR, work=uploads.clear),
        Task(name="sweep", work=_skip_if_unavailable(sweep_all), cron="* * * * *"),
        Task(name="clear", work=_skip_if_unavailable(clear), cron="17 * * * *"),
        Task(name="reconcile", work=_skip_if_unavailable(reconcile), cron="41 4 * * *"),
    ]


async def settle(sweep: Sweep, uploads: UploadCleanup, on_demand: OnDemandRenditions) -> None:
    """Do what the rows call for: undo abandoned reservations, purge deleted photos and uploads.

    What can't be done doesn't hold up the rest.
    """
    try:
        await sweep.run()
    finally:
        try:
            await uploads.run()
        finally:
            await on_demand.undo_abandoned()


async def clear_expired(catalog: Catalog, *, now: datetime) -> None:
    """Delete expired sessions, one-time codes and downloads, and the rows of old jobs."""
    await catalog.sessions.delete_expired(now=now)
    await catalog.downloads.delete_expired(now=now)
    # In batches: all the jobs of an import at once would exceed the deadline.
    after: int | None = 0
    while after is not None:
        after = await catalog.transaction(
            partial(
                jobs.delete_ended_jobs,
                ended=now - _KEEP_ENDED,
                failed=now - _KEEP_FAILED,
                after=after,
                limit=_BATCH,
            )
        )


def _skip_if_unavailable(
    work: Callable[[], Awaitable[object]],
) -> Callable[[], Awaitable[None]]:
    """Wrap work that can wait for its next run if an engine is down."""

    async def run() -> None:
        try:
            await work()
        except Unavailable as error:
            _log.warning("a scheduled job waits for its next run: %s", error)

    return run

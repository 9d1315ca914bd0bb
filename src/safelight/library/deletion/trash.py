"""Delete trashed photos for good: those that have been in the trash long enough, or all."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from safelight.catalog import Catalog, Tombstone
from safelight.crash_points import reached
from safelight.library.hooks import Hooks
from safelight.library.sweep import Sweep
from safelight.library.tasks import enqueue_purge
from safelight.metrics import LibraryMetrics

_BATCH: Final = 200
"""Photos that are deleted in one transaction, which has to be short."""


class Trash:
    """Empties the trash. Nothing is copied for that, so it works while the store is full."""

    def __init__(
        self,
        catalog: Catalog,
        sweep: Sweep,
        *,
        hooks: Hooks,
        metrics: LibraryMetrics,
        keep: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._rows = catalog.trash
        self._sweep = sweep
        self._hooks = hooks
        self._metrics = metrics
        self._keep = keep
        self._clock = clock

    async def empty(self, owner: str) -> int:
        """Delete all photos in an owner's trash for good; return their number."""
        return await self._delete(before=self._clock(), owner=owner)

    async def delete_expired(self) -> int:
        """Delete the photos of all owners whose time in the trash is over; return their number."""
        return await self._delete(before=self._clock() - self._keep)

    async def _delete(self, *, before: datetime, owner: str | None = None) -> int:
        count, first = 0, list[Tombstone]()
        while tombstones := await self._rows.delete_some(
            owner=owner,
            before=before,
            limit=_BATCH,
            now=self._clock(),
            hooks=self._hooks.deleted,
            in_transaction=enqueue_purge,
        ):
            reached("trash: row soft-deleted")
            count += len(tombstones)
            self._metrics.deletions.inc(len(tombstones))
            first = first or tombstones
        if first:  # a job purges the others
            await self._sweep.purge_some_now(first)
        return count

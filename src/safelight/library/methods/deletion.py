"""Delete photos, and run hooks when photos are added or deleted."""

import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from safelight.crash_points import reached
from safelight.errors import NotFound
from safelight.library.hooks import HookT, as_photo_hook
from safelight.library.lifecycle import LibraryLifecycle
from safelight.library.methods.changes import check_number
from safelight.library.results import bulk_result
from safelight.models import BulkResult, Photo

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

    from safelight.catalog import Tombstone

_BATCH = 200
"""Photos that `delete_owner` deletes in one transaction, which has to be short."""


class DeletionMethods(LibraryLifecycle):
    """The methods that delete photos."""

    async def delete(
        self, owner: str, id_: int, *, within: "AsyncConnection | AsyncSession | None" = None
    ) -> None:
        """Delete a photo for good, also from the trash: its links stop working.

        With `within`, a transaction of yours as in `add`, it happens when you commit, and a job
        deletes the objects some seconds later. While the store is down, a job deletes them as soon
        as it is back. Raises NotFound, also the second time.
        """
        from safelight.library.tasks import enqueue_purge

        catalog = self.backends.catalog
        connection = await catalog.host.join(within) if within else None
        tombstone = await catalog.soft_delete(
            owner,
            id_,
            now=self.now(),
            hooks=self.hooks.deleted,
            in_transaction=enqueue_purge,
            within=connection,
        )
        reached("delete: row soft-deleted")
        self.metrics.deletions.inc()
        if connection is None:
            await self.components.sweep.purge_now(tombstone, passing="delete")
            reached("delete: purge noted")

    async def delete_many(self, owner: str, ids: Sequence[int]) -> BulkResult:
        """Delete up to 500 photos for good, also those in the trash; see `delete`."""
        from safelight.library.tasks import enqueue_purge

        check_number(ids)
        deleted: list[Tombstone] = []
        for start in range(0, len(ids), _BATCH):
            batch = await self.backends.catalog.tombstones.soft_delete_these(
                owner,
                ids[start : start + _BATCH],
                now=self.now(),
                hooks=self.hooks.deleted,
                in_transaction=enqueue_purge,
            )
            reached("delete: row soft-deleted")
            self.metrics.deletions.inc(len(batch))
            deleted += batch
        await self.components.sweep.purge_some_now(deleted)
        return bulk_result(ids, [tombstone.id for tombstone in deleted])

    async def delete_owner(
        self, owner: str, *, within: "AsyncConnection | AsyncSession | None" = None
    ) -> int:
        """Delete all photos of an owner for good, abort the open uploads, and count the photos.

        It takes some milliseconds per photo. After an error, call it again for the rest. Make sure
        first that the owner can't add photos meanwhile. With `within`, a transaction of yours as in
        `add`, the photos are deleted when you commit, and the open uploads expire.
        """
        from safelight.library.ingest import check_owner
        from safelight.library.tasks import enqueue_purge

        check_owner(owner)
        if within:
            connection = await self.backends.catalog.host.join(within)
            tombstones = await self.backends.catalog.tombstones.soft_delete_some(
                owner,
                now=self.now(),
                hooks=self.hooks.deleted,
                in_transaction=enqueue_purge,
                within=connection,
            )
            self.metrics.deletions.inc(len(tombstones))
            return len(tombstones)
        for upload_id in await self.backends.catalog.uploads.list_open(owner):
            with contextlib.suppress(NotFound):  # it has ended meanwhile, or expired
                await self.uploads.abort(owner, upload_id)
        count = 0
        while tombstones := await self.backends.catalog.tombstones.soft_delete_some(
            owner,
            limit=_BATCH,
            now=self.now(),
            hooks=self.hooks.deleted,
            in_transaction=enqueue_purge,
        ):
            count += len(tombstones)
            self.metrics.deletions.inc(len(tombstones))
            await self.components.sweep.purge_all_now(tombstones)
        return count

    async def unattached(
        self, owner: str, *, older_than: timedelta, limit: int = 500
    ) -> list[Photo]:
        """List the owner's photos that no foreign key of any table refers to, oldest first.

        Only photos that were added longer ago than `older_than` are listed: leave your users the
        time from an upload to the form that uses it. Raises UsageError if no table has a foreign
        key to photos, or if the library's role may not read all rows of one that has.
        """
        from safelight.catalog.host.references import list_unattached

        return await self.backends.catalog.transaction(
            lambda connection: list_unattached(
                connection, owner, created_before=self.now() - older_than, limit=limit
            )
        )

    def on_added(self, hook: HookT) -> HookT:
        """Call ``await hook(photo, connection)`` for each new photo; usable as a decorator.

        It runs in the transaction that makes the photo visible, once its objects are stored, for
        every way to add a photo; not for a duplicate. `connection` is that transaction's
        SQLAlchemy connection, yours if the photo is added `within` one: what the hook writes with
        it is committed with the photo. An exception undoes the photo and reaches the caller. Be
        quick (the transaction has four seconds), don't commit, and expect to run again if the
        transaction is repeated. Register hooks in every process, before the library starts.
        """
        self.hooks.added.append(as_photo_hook(hook))
        return hook

    def on_deleted(self, hook: HookT) -> HookT:
        """Call ``await hook(photo, connection)`` for each photo that is deleted for good.

        It runs in the transaction that deletes the photo's row, before the objects are deleted. An
        exception keeps the photo and reaches the caller. Everything else is as in `on_added`.
        """
        self.hooks.deleted.append(as_photo_hook(hook))
        return hook

"""Trash photos, restore them, and revoke the links to photos."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from safelight.catalog import Cursor, Page
from safelight.crash_points import reached
from safelight.errors import NotFound
from safelight.library.methods.changes import check_number
from safelight.library.methods.deletion import DeletionMethods
from safelight.library.methods.photos import check_page
from safelight.library.results import PhotoPage, bulk_result
from safelight.models import BulkResult, Photo

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession


class TrashMethods(DeletionMethods):
    """The methods about the trash and about revoked links."""

    async def trash(
        self, owner: str, id_: int, *, within: "AsyncConnection | AsyncSession | None" = None
    ) -> None:
        """Move a photo to the trash: it leaves every list, and all links given out so far die.

        They die within seconds, by a copy of the photo under new keys; while the store is down or
        full, as soon as it is not. After `SAFELIGHT_TRASH_DAYS` (30) a job deletes the photo for
        good, and `on_deleted` runs; with 0, this does. `within` is a transaction of yours, as in
        `delete`. Raises NotFound, also if the photo is in the trash already.
        """
        if not self.backends.trash_time:
            await self.delete(owner, id_, within=within)
        elif not await self._trash(owner, [id_], within=within):
            raise NotFound

    async def trash_many(self, owner: str, ids: Sequence[int]) -> BulkResult:
        """Move up to 500 photos to the trash, as `trash` does, in one transaction."""
        check_number(ids)
        if not self.backends.trash_time:
            return await self.delete_many(owner, ids)
        return bulk_result(ids, await self._trash(owner, ids))

    async def restore(
        self, owner: str, id_: int, *, within: "AsyncConnection | AsyncSession | None" = None
    ) -> Photo:
        """Restore a photo from the trash, with new links. Raises NotFound if it isn't there.

        Adding the same bytes again restores a photo too. `within` is as in `delete`.
        """
        catalog = self.backends.catalog
        connection = await catalog.host.join(within) if within else None
        restored = await catalog.trash.restore(owner, [id_], within=connection)
        if not restored:
            raise NotFound("This photo is not in the trash.")
        reached("trash: row restored")
        return restored[0]

    async def restore_many(self, owner: str, ids: Sequence[int]) -> BulkResult:
        """Restore those of up to 500 photos that are in the trash, in one transaction."""
        check_number(ids)
        restored = await self.backends.catalog.trash.restore(owner, ids)
        return bulk_result(ids, [photo.id for photo in restored])

    async def list_trash(
        self, owner: str, *, after: str | None = None, limit: int = 100
    ) -> PhotoPage:
        """List the photos in the trash, the last trashed first; the arguments of `list_photos`."""
        page = await self.trash_page(owner, after=after, limit=limit)
        ids = [id_ for id_, _ in page.photos]
        return PhotoPage(
            photos=tuple(await self.trashed_photos(owner, ids)),
            next=None if page.next is None else str(page.next),
        )

    async def trash_page(
        self, owner: str, *, after: str | None = None, limit: int = 100, skip: int = 0
    ) -> Page:
        """List the ids and versions of the photos in the trash, as `page` does of others."""
        check_page(limit, skip)
        cursor = Cursor.parse(after, "trash") if after is not None else None
        return await self.backends.catalog.trash.page(owner, after=cursor, limit=limit, skip=skip)

    async def trashed_photos(self, owner: str, ids: Sequence[int]) -> list[Photo]:
        """Return those of the photos that are in the trash, in the order of the ids."""
        photos = await self.backends.catalog.photos(owner, ids, in_trash_too=True)
        found = {photo.id: photo for photo in photos if photo.trashed_at}
        return [found[id_] for id_ in ids if id_ in found]

    async def count_trash(self, owner: str) -> tuple[int, int]:
        """Count the photos in the trash, and those of them whose old links may still work."""
        return await self.backends.catalog.trash.count(owner)

    async def empty_trash(self, owner: str) -> int:
        """Delete all photos in the trash for good, and return their number."""
        return await self.components.trash.empty(owner)

    def deletes_at(self, photo: Photo) -> datetime | None:
        """Return when a photo in the trash will be deleted for good; None for others."""
        return photo.trashed_at and photo.trashed_at + self.backends.trash_time

    async def revoke_links(self, owner: str, id_: int) -> None:
        """Make all links to a photo die that were given out so far; the photo stays.

        They die as in `trash`. What a browser has stored can't be called back. Raises NotFound.
        """
        from safelight.library.tasks import enqueue_rekey

        revoked = await self.backends.catalog.trash.revoke(
            owner, [id_], now=self.now(), in_transaction=enqueue_rekey
        )
        if not revoked:
            raise NotFound
        reached("revoke: row marked")
        await self.components.rekeying.run_now(owner, revoked)

    async def _trash(
        self,
        owner: str,
        ids: Sequence[int],
        *,
        within: "AsyncConnection | AsyncSession | None" = None,
    ) -> list[int]:
        from safelight.library.tasks import enqueue_rekey

        catalog = self.backends.catalog
        connection = await catalog.host.join(within) if within else None
        trashed = await catalog.trash.trash(
            owner, ids, now=self.now(), in_transaction=enqueue_rekey, within=connection
        )
        reached("trash: row trashed")
        if trashed and connection is None:
            await self.components.rekeying.run_now(owner, trashed)
        return trashed

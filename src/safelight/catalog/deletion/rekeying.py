"""Re-keying: give a photo other keys, so that every link to it that was given out dies.

The id stays, and so do all references to it. A pending row names the new keys before an object is
copied; a tombstone names the old ones once the photo has the new ones. So whatever a crash leaves
is found from the rows.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog.database import Database
from safelight.catalog.reservations import Reservation
from safelight.catalog.rows import COLUMNS
from safelight.catalog.tables import photos
from safelight.catalog.tombstones import Tombstone, TransactionHook, tombstone_from_row
from safelight.errors import Busy, NotFound
from safelight.models import Photo, Status


class RekeyedRows:
    """Swaps the keys of photos. All calls raise CatalogUnavailable when PostgreSQL is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def swap(
        self,
        photo: Photo,
        reservation: Reservation,
        copied: Collection[str],
        *,
        now: datetime,
        in_transaction: TransactionHook,
    ) -> Tombstone | None:
        """Give a photo the reservation's storage id; return the tombstone of its former one.

        `copied` are the last parts of the keys of the objects that have been copied: the photo
        keeps these renditions and loses others. The hook runs in the same transaction. Returns None
        if the photo's row has changed. Raises NotFound if the photo was deleted, and Busy if the
        sweep has abandoned the reservation.
        """

        async def work(connection: AsyncConnection) -> Tombstone | None:
            row = await _lock(connection, photo)
            if row.name != photo.storage_id or row.version != photo.version:
                return None
            pending = photos.c.id == reservation.id, photos.c.status == Status.PENDING
            if (await connection.execute(delete(photos).where(*pending))).rowcount != 1:
                raise Busy
            kept = [
                {**each, "key": f"{keys.prefix(reservation.storage_id)}{suffix}"}
                for each in row.renditions
                if (suffix := each["key"].rpartition("/")[2]) in copied
            ]
            await connection.execute(
                update(photos)
                .where(photos.c.id == photo.id)
                .values(
                    name=reservation.storage_id,
                    renditions=kept,
                    revoked_at=None,
                    version=photos.c.version + 1,
                )
            )
            tombstone = (
                insert(photos)
                .values(
                    owner=photo.owner,
                    status=Status.DELETED,
                    name=row.name,
                    title="",
                    description="",
                    filename="",
                    reserved_at=now,
                    deleted_at=now,
                    renditions=row.renditions,
                )
                .returning(photos.c.id, photos.c.name, photos.c.renditions)
            )
            inserted = (await connection.execute(tombstone)).one()
            await in_transaction(connection)
            return tombstone_from_row(inserted)

        return await self._database.transaction(work)


async def _lock(connection: AsyncConnection, photo: Photo) -> Any:
    """Lock a photo's row, also in the trash, and return it. Raises NotFound."""
    query = (
        select(*COLUMNS)
        .where(
            photos.c.id == photo.id,
            photos.c.owner == photo.owner,
            photos.c.status == Status.READY,
        )
        .with_for_update()
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound
    return row

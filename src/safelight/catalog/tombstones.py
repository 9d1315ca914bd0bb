"""Tombstones: the rows of deleted photos, kept until none of their objects can be left."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import methodcaller
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    Update,
    any_,
    delete,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.host.hooks import unwrapping_hook_errors
from safelight.catalog.queries import possible_ids
from safelight.catalog.rows import COLUMNS, photo_from_row
from safelight.catalog.tables import photos
from safelight.models import Photo, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """A tombstone; its original and the objects with the keys in `renditions` must be deleted."""

    id: int
    storage_id: str
    renditions: tuple[str, ...] = ()


def tombstone_from_row(row: Any) -> Tombstone:
    """Return the tombstone of a row with id, name and renditions."""
    return Tombstone(
        id=row.id, storage_id=row.name, renditions=tuple(r["key"] for r in row.renditions)
    )


TransactionHook = Callable[[AsyncConnection], Awaitable[None]]
"""A function of the caller that runs in a transaction of the catalog."""

PhotoHook = Callable[[AsyncConnection, Photo], Awaitable[None]]
"""A function of the caller that runs in the transaction that publishes or deletes a photo."""

_DELETED = photos.c.status == Status.DELETED


class Tombstones:
    """The rows of deleted photos. All calls raise CatalogUnavailable when PostgreSQL is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def soft_delete_some(
        self,
        owner: str,
        *,
        limit: int | None = None,
        now: datetime,
        hooks: Sequence[PhotoHook] = (),
        in_transaction: TransactionHook | None = None,
        within: AsyncConnection | None = None,
    ) -> list[Tombstone]:
        """Turn up to `limit` of an owner's photos into tombstones, in one transaction.

        That is the caller's if it is `within` one.
        """
        owned = photos.c.owner == owner, photos.c.status == Status.READY
        some = select(photos.c.id).where(*owned).order_by(photos.c.id).limit(limit)

        async def work(connection: AsyncConnection) -> list[Tombstone]:
            return await soft_delete_photos(
                connection,
                *(*owned, photos.c.id.in_(some)),
                now=now,
                hooks=hooks,
                in_transaction=in_transaction,
            )

        with unwrapping_hook_errors():
            return await (work(within) if within else self._database.transaction(work))

    async def soft_delete_these(
        self,
        owner: str,
        ids: Sequence[int],
        *,
        now: datetime,
        hooks: Sequence[PhotoHook] = (),
        in_transaction: TransactionHook | None = None,
    ) -> list[Tombstone]:
        """Turn those of the owner's photos that have one of the ids into tombstones."""
        is_one = photos.c.id == any_(literal(possible_ids(ids), ARRAY(BigInteger)))
        owned = photos.c.owner == owner, photos.c.status == Status.READY, is_one

        async def work(connection: AsyncConnection) -> list[Tombstone]:
            lock = (
                select(photos.c.id)
                .where(*owned)
                .order_by(photos.c.id)
                .with_for_update(key_share=True)
            )
            await connection.execute(lock)
            return await soft_delete_photos(
                connection, *owned, now=now, hooks=hooks, in_transaction=in_transaction
            )

        with unwrapping_hook_errors():
            return await self._database.transaction(work)

    async def abandon_stale(self, *, reserved_before: datetime, now: datetime) -> int:
        """Turn pending rows reserved before a time into tombstones; return their number."""
        stale = photos.c.status == Status.PENDING, photos.c.reserved_at < reserved_before
        abandon = update(photos).values(status=Status.DELETED, deleted_at=now).where(*stale)
        return await self._database.process_in_batches(
            select(photos.c.id).where(*stale), lambda ids: abandon.where(photos.c.id.in_(ids))
        )

    async def list_unpurged(
        self, *, deleted_since: datetime, after: int, limit: int
    ) -> list[Tombstone]:
        """List tombstones that were never purged, by id, after the id `after`."""
        return await self._list(
            photos.c.purged_at.is_(None),
            photos.c.deleted_at >= deleted_since,
            photos.c.id > after,
            limit=limit,
        )

    async def list_due(self, *, before: datetime, after: int, limit: int) -> list[Tombstone]:
        """List tombstones older than a time and not purged since, as `list_unpurged` does."""
        return await self._list(
            photos.c.deleted_at < before,
            or_(photos.c.purged_at.is_(None), photos.c.purged_at < before),
            photos.c.id > after,
            limit=limit,
        )

    async def mark_purged(self, ids: Sequence[int], *, now: datetime) -> None:
        """Record that the objects of tombstones have been deleted."""
        statement = update(photos).where(photos.c.id.in_(ids), _DELETED).values(purged_at=now)
        await self._database.transaction(methodcaller("execute", statement))

    async def delete(self, ids: Sequence[int], *, now: datetime) -> None:
        """Delete tombstones. Those that a host application's rows reference are marked purged."""
        if not await self._try_delete(ids):
            for id_ in ids:
                if not await self._try_delete([id_]):
                    await self.mark_purged([id_], now=now)

    async def _try_delete(self, ids: Sequence[int]) -> bool:
        statement = delete(photos).where(photos.c.id.in_(ids), _DELETED)
        try:
            await self._database.transaction(methodcaller("execute", statement))
        except IntegrityError:
            return False
        return True

    async def _list(self, *conditions: ColumnElement[bool], limit: int) -> list[Tombstone]:
        statement: Select[Any] = (
            select(photos.c.id, photos.c.name, photos.c.renditions)
            .where(_DELETED, *conditions)
            .order_by(photos.c.id)
            .limit(limit)
        )

        async def work(connection: AsyncConnection) -> list[Tombstone]:
            return [tombstone_from_row(row) for row in await connection.execute(statement)]

        return await self._database.read(work)


async def soft_delete(
    database: Database,
    *conditions: ColumnElement[bool],
    now: datetime,
    in_transaction: TransactionHook | None,
) -> Tombstone | None:
    """Turn the row that meets the conditions into a tombstone; return None if there is none.

    The hook runs in the same transaction.
    """
    statement = make_tombstones(*conditions, now=now).returning(
        photos.c.id, photos.c.name, photos.c.renditions
    )

    async def work(connection: AsyncConnection) -> Tombstone | None:
        row = (await connection.execute(statement)).one_or_none()
        if row is None:
            return None
        if in_transaction:
            await in_transaction(connection)
        return tombstone_from_row(row)

    return await database.transaction(work)


async def soft_delete_photos(
    connection: AsyncConnection,
    *conditions: ColumnElement[bool],
    now: datetime,
    hooks: Sequence[PhotoHook] = (),
    in_transaction: TransactionHook | None = None,
) -> list[Tombstone]:
    """Turn ready rows that meet the conditions into tombstones, in the connection's transaction.

    The hooks run in it too, and `in_transaction` if there are any such rows.
    """
    deleted = [
        photo_from_row(row)
        for row in await connection.execute(
            make_tombstones(*conditions, now=now).returning(*COLUMNS)
        )
    ]
    for photo in deleted:
        for hook in hooks:
            await hook(connection, photo)
    if deleted and in_transaction:
        await in_transaction(connection)
    return [
        Tombstone(
            id=photo.id,
            storage_id=photo.storage_id,
            renditions=tuple(rendition.key for rendition in photo.renditions),
        )
        for photo in deleted
    ]


def make_tombstones(*conditions: ColumnElement[bool], now: datetime) -> Update:
    """Return the statement that turns the rows which meet the conditions into tombstones."""
    values = {
        "status": Status.DELETED,
        "deleted_at": now,
        "revoked_at": None,
        "version": photos.c.version + 1,
    }
    return update(photos).where(*conditions).values(values)

"""Tombstones: the rows of photos that are gone, until nothing of them can be left in the store."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.photo import Status
from safelight.tables import photos


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """A tombstone whose objects have to go; `renditions` are the keys that its row names."""

    id: int
    name: str
    renditions: tuple[str, ...] = ()


def doomed(row: Any) -> Doomed:  # noqa: ANN401  a row has no type that names its columns
    """Make the value of a row that has id, name and renditions."""
    return Doomed(id=row.id, name=row.name, renditions=tuple(r["key"] for r in row.renditions))


Along = Callable[[AsyncConnection], Awaitable[None]]
"""What somebody else does in a transaction of the catalog's."""

_DELETED = photos.c.status == Status.DELETED


class Tombstones:
    """The rows of what is gone. Calls raise CatalogUnavailable when PostgreSQL is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def abandon_stale(self, *, reserved_before: datetime, now: datetime) -> int:
        """Turn rows that have been pending since before a time into tombstones; their number."""
        stale = photos.c.status == Status.PENDING, photos.c.reserved_at < reserved_before
        given_up = update(photos).values(status=Status.DELETED, deleted_at=now).where(*stale)
        return await self._database.drain(
            select(photos.c.id).where(*stale), lambda ids: given_up.where(photos.c.id.in_(ids))
        )

    async def fresh(self, *, buried_since: datetime, after: int, limit: int) -> list[Doomed]:
        """List tombstones that were never purged, by id, from the one after `after` on."""
        return await self._listed(
            photos.c.purged_at.is_(None),
            photos.c.deleted_at >= buried_since,
            photos.c.id > after,
            limit=limit,
        )

    async def settled(self, *, before: datetime, after: int, limit: int) -> list[Doomed]:
        """List tombstones older than a time, and not purged since then, as `fresh` does."""
        return await self._listed(
            photos.c.deleted_at < before,
            or_(photos.c.purged_at.is_(None), photos.c.purged_at < before),
            photos.c.id > after,
            limit=limit,
        )

    async def note_purged(self, ids: Sequence[int], *, now: datetime) -> None:
        """Note that the objects of tombstones are gone."""
        noted = update(photos).where(photos.c.id.in_(ids), _DELETED).values(purged_at=now)
        await self._database.transaction(lambda connection: connection.execute(noted))

    async def forget(self, ids: Sequence[int], *, now: datetime) -> None:
        """Drop tombstones; one that a host application's row still points at is noted instead."""
        if not await self._forgotten(ids):
            for id_ in ids:
                if not await self._forgotten([id_]):
                    await self.note_purged([id_], now=now)

    async def _forgotten(self, ids: Sequence[int]) -> bool:
        gone = delete(photos).where(photos.c.id.in_(ids), _DELETED)
        try:
            await self._database.transaction(lambda connection: connection.execute(gone))
        except IntegrityError:
            return False
        return True

    async def _listed(self, *which: ColumnElement[bool], limit: int) -> list[Doomed]:
        statement: Select[Any] = (
            select(photos.c.id, photos.c.name, photos.c.renditions)
            .where(_DELETED, *which)
            .order_by(photos.c.id)
            .limit(limit)
        )

        async def work(connection: AsyncConnection) -> list[Doomed]:
            return [doomed(row) for row in await connection.execute(statement)]

        return await self._database.read(work)


async def bury(
    database: Database, *which: ColumnElement[bool], now: datetime, along: Along | None
) -> Doomed | None:
    """Turn a row into a tombstone; None if there is none such.

    `along` is done in the same transaction.
    """
    statement = (
        update(photos)
        .where(*which)
        .values(status=Status.DELETED, deleted_at=now, version=photos.c.version + 1)
        .returning(photos.c.id, photos.c.name, photos.c.renditions)
    )

    async def work(connection: AsyncConnection) -> Doomed | None:
        row = (await connection.execute(statement)).one_or_none()
        if row is None:
            return None
        if along:
            await along(connection)
        return doomed(row)

    return await database.transaction(work)

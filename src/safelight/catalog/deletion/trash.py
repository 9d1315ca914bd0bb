"""The trash: photos that only lists and counts leave out, until they are restored or deleted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    any_,
    bindparam,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.host.hooks import unwrapping_hook_errors
from safelight.catalog.paging import Cursor, Page
from safelight.catalog.queries import compile_query, possible_ids
from safelight.catalog.rows import COLUMNS, photo_from_row
from safelight.catalog.tables import photos
from safelight.catalog.tombstones import (
    PhotoHook,
    Tombstone,
    TransactionHook,
    soft_delete_photos,
)
from safelight.models import Photo, Status

_READY: Final = photos.c.status == Status.READY
_IS_TRASHED: Final = photos.c.trashed_at.is_not(None)


def _page(*, after: bool) -> Any:
    query = (
        select(photos.c.id, photos.c.version, photos.c.trashed_at)
        .where(photos.c.owner == bindparam("owner"), text("status = 'ready'"), _IS_TRASHED)
        .order_by(photos.c.trashed_at.desc(), photos.c.id.desc())
        .limit(bindparam("count"))
        .offset(bindparam("skip"))
    )
    if after:
        query = query.where(text("(trashed_at, id) < (:at, :id)"))
    return compile_query(query)


_PAGES: Final = {after: _page(after=after) for after in (False, True)}
_COUNT: Final = compile_query(
    select(func.count(), func.count(photos.c.revoked_at))
    .select_from(photos)
    .where(photos.c.owner == bindparam("owner"), text("status = 'ready'"), _IS_TRASHED)
)


class TrashRows:
    """Trashes and restores photos. All calls raise CatalogUnavailable when PostgreSQL is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def trash(
        self,
        owner: str,
        ids: Sequence[int],
        *,
        now: datetime,
        in_transaction: TransactionHook,
        within: AsyncConnection | None = None,
    ) -> list[int]:
        """Trash the photos and revoke their links; return the ids of those that it has trashed.

        The hook runs in the same transaction if there are any: that of the caller if it is `within`
        one. All are locked in the order of their ids, so that no two calls deadlock.
        """
        return await self._revoke(
            owner,
            ids,
            {"trashed_at": now, "revoked_at": now},
            in_transaction=in_transaction,
            within=within,
        )

    async def revoke(
        self, owner: str, ids: Sequence[int], *, now: datetime, in_transaction: TransactionHook
    ) -> list[int]:
        """Revoke the links of photos, as `trash` does, and return the ids of these photos."""
        return await self._revoke(owner, ids, {"revoked_at": now}, in_transaction=in_transaction)

    async def restore(
        self, owner: str, ids: Sequence[int], *, within: AsyncConnection | None = None
    ) -> list[Photo]:
        """Restore those of the photos that are in the trash, and return them."""

        async def work(connection: AsyncConnection) -> list[Photo]:
            return await restore_photos(connection, owner, ids)

        return await (work(within) if within else self._database.transaction(work))

    async def page(self, owner: str, *, after: Cursor | None, limit: int, skip: int = 0) -> Page:
        """List the ids and versions of trashed photos, the last trashed first."""
        parameters: dict[str, object] = {"owner": owner, "count": limit + 1, "skip": skip}
        if after:
            parameters |= {"at": after.at, "id": after.id}
        rows = await self._database.fetch_all(_PAGES[after is not None], parameters)
        states = tuple((id_, version) for id_, version, _ in rows[:limit])
        if len(rows) <= limit:
            return Page(states, None)
        id_, _, at = rows[limit - 1]
        return Page(states, Cursor(order="trash", at=at, id=id_))

    async def count(self, owner: str) -> tuple[int, int]:
        """Count the owner's trashed photos, and those of them whose old links may still work."""
        ((count, revoking),) = await self._database.fetch_all(_COUNT, {"owner": owner})
        return int(count), int(revoking)

    async def delete_some(
        self,
        *,
        owner: str | None = None,
        before: datetime,
        limit: int,
        now: datetime,
        hooks: Sequence[PhotoHook] = (),
        in_transaction: TransactionHook | None = None,
    ) -> list[Tombstone]:
        """Turn up to `limit` photos into tombstones that were trashed before a time, or just then.

        Those of all owners, or of one.
        """
        conditions: list[ColumnElement[bool]] = [_READY, photos.c.trashed_at <= before]
        if owner is not None:
            conditions.append(photos.c.owner == owner)
        some = select(photos.c.id).where(*conditions).order_by(photos.c.id).limit(limit)

        async def work(connection: AsyncConnection) -> list[Tombstone]:
            ids = (await connection.execute(some)).scalars().all()
            return await soft_delete_photos(
                connection,
                # Again, since a photo may have been restored meanwhile.
                *(*conditions, photos.c.id.in_(ids)),
                now=now,
                hooks=hooks,
                in_transaction=in_transaction,
            )

        with unwrapping_hook_errors():
            return await self._database.transaction(work)

    async def list_revoked(self, *, after: int, limit: int) -> list[Photo]:
        """List the photos of all owners whose links are to die, by id, after the id `after`."""
        query = (
            select(*COLUMNS)
            .where(_READY, photos.c.revoked_at.is_not(None), photos.c.id > after)
            .order_by(photos.c.id)
            .limit(limit)
        )

        async def work(connection: AsyncConnection) -> list[Photo]:
            return [photo_from_row(row) for row in await connection.execute(query)]

        return await self._database.read(work)

    async def _revoke(
        self,
        owner: str,
        ids: Sequence[int],
        values: dict[str, datetime],
        *,
        in_transaction: TransactionHook,
        within: AsyncConnection | None = None,
    ) -> list[int]:
        async def work(connection: AsyncConnection) -> list[int]:
            found = await _lock(connection, owner, ids, photos.c.trashed_at.is_(None))
            if found:
                await connection.execute(
                    update(photos)
                    .where(photos.c.id.in_(found))
                    .values(**values, version=photos.c.version + 1)
                )
                await in_transaction(connection)
            return found

        return await (work(within) if within else self._database.transaction(work))


async def restore_photos(
    connection: AsyncConnection, owner: str, ids: Sequence[int]
) -> list[Photo]:
    """Restore those of the photos that are in the trash, in the connection's transaction."""
    found = await _lock(connection, owner, ids, _IS_TRASHED)
    restored = await connection.execute(
        update(photos)
        .where(photos.c.id.in_(found))
        .values(trashed_at=None, version=photos.c.version + 1)
        .returning(*COLUMNS)
    )
    return [photo_from_row(row) for row in restored]


async def _lock(
    connection: AsyncConnection, owner: str, ids: Sequence[int], condition: ColumnElement[bool]
) -> list[int]:
    """Lock photos that meet a condition, by their ids, so that no two calls deadlock."""
    is_one = photos.c.id == any_(literal(possible_ids(ids), ARRAY(BigInteger)))
    lock = (
        select(photos.c.id)
        .where(photos.c.owner == owner, is_one, _READY, condition)
        .order_by(photos.c.id)
        .with_for_update(key_share=True)
    )
    return list((await connection.execute(lock)).scalars())

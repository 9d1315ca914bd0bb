"""Scan the rows of all owners in the order of their storage ids, to compare them with objects."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Text, any_, bindparam, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog.database import Database
from safelight.catalog.queries import compile_query
from safelight.catalog.tables import photos
from safelight.models import Status

T = TypeVar("T")

_LOCK_DEADLINE: Final = timedelta(seconds=50)
"""For a row that is locked during calls to the store: PostgreSQL ends idle transactions at 60 s."""


_OWNERS_OF_AN_ID: Final = 3
"""The number of rows that have a storage id, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowKeys:
    """The objects that a row names; `renditions` are keys. Only photos have a size and SHA-256."""

    id: int
    owner: str
    storage_id: str
    status: Status
    size: int | None
    sha256: str | None
    reserved_at: datetime
    renditions: tuple[str, ...]

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the photo's objects; none if the row is not a photo."""
        if self.status != Status.READY:
            return frozenset()
        return frozenset((keys.original(self.storage_id), *self.renditions))


_COLUMNS: Final[tuple[ColumnElement[Any], ...]] = (
    *(photos.c.id, photos.c.owner, photos.c.name, photos.c.status, photos.c.size, photos.c.sha256),
    photos.c.reserved_at,
    literal_column("jsonb_path_query_array(renditions, '$[*].key')").label("keys"),
)
_PAGE: Final = compile_query(
    select(*_COLUMNS)
    .where(photos.c.name > bindparam("after"))
    .order_by(photos.c.name)
    .limit(bindparam("count"))
)
_BY_STORAGE_ID: Final = compile_query(
    select(*_COLUMNS).where(photos.c.name == any_(bindparam("names", type_=ARRAY(Text))))
)
_LOCK: Final = (
    select(*_COLUMNS).where(photos.c.name == bindparam("name")).with_for_update(key_share=True)
)
_REMOVE_RENDITIONS: Final = (
    update(photos)
    .where(photos.c.id == bindparam("row"))
    .values(
        version=photos.c.version + 1,
        renditions=text(
            "(SELECT coalesce(jsonb_agg(kept), '[]') FROM jsonb_array_elements(renditions) AS kept"
            " WHERE kept ->> 'key' <> ALL(:keys))"
        ),
    )
)


class RowScan:
    """Reads the rows of all owners. The result must never be sent to clients."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, *, after: str, limit: int) -> list[RowKeys]:
        """List rows by storage id, after the id `after`."""
        rows = await self._database.fetch_all(_PAGE, {"after": after, "count": limit})
        return [_row_keys(row) for row in rows]

    async def find(self, storage_ids: Sequence[str]) -> dict[str, RowKeys]:
        """Return the rows with these storage ids, in any state."""
        rows = await self._database.fetch_all(_BY_STORAGE_ID, {"names": list(storage_ids)})
        return {row.storage_id: row for row in map(_row_keys, rows)}

    async def with_locked_row(
        self, storage_id: str, work: Callable[[AsyncConnection, RowKeys | None], Awaitable[T]]
    ) -> T:
        """Run `work` in a transaction in which the row with this storage id can't change.

        It receives None if there is no row. Ids are never reused, so once an object with that id
        has been seen, there will never be a row again.
        """

        async def lock_row(connection: AsyncConnection) -> T:
            row = None
            # Re-keying moves a storage id from a pending row to a photo, and then to a tombstone. A
            # statement that waited for such a row doesn't see the next one, but its successor does.
            for _ in range(_OWNERS_OF_AN_ID):
                row = row or (await connection.execute(_LOCK, {"name": storage_id})).one_or_none()
            return await work(connection, None if row is None else _row_keys(row))

        return await self._database.transaction(lock_row, deadline=_LOCK_DEADLINE)


async def remove_renditions(
    connection: AsyncConnection, row: RowKeys, removed: Sequence[str] = ()
) -> None:
    """Remove renditions from a locked row by their keys, and increase its version in any case.

    So a process that read the row before and wants to store other renditions must read it again.
    """
    await connection.execute(_REMOVE_RENDITIONS, {"row": row.id, "keys": list(removed)})


def _row_keys(row: Sequence[Any]) -> RowKeys:
    id_, owner, name, status, size, sha256, reserved_at, renditions = row
    return RowKeys(
        id=id_,
        owner=owner,
        storage_id=name,
        status=Status(status),
        size=size,
        sha256=sha256,
        reserved_at=reserved_at,
        renditions=tuple(renditions),
    )

"""The roll: every row there is, whoever's, in the order of names. For who compares them all."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Text, any_, bindparam, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog.database import Database
from safelight.catalog.queries import written
from safelight.photo import Status
from safelight.tables import photos

T = TypeVar("T")

_PATIENCE: Final = timedelta(seconds=50)
"""For a row that is held while the store is asked: PostgreSQL ends an idle transaction at 60 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a row says of its objects; `renditions` are keys. A photo has size and SHA-256."""

    id: int
    owner: str
    name: str
    status: Status
    size: int | None
    sha256: str | None
    reserved_at: datetime
    renditions: tuple[str, ...]

    @property
    def keys(self) -> frozenset[str]:
        """The keys that it names as a photo's; none if it is none."""
        if self.status != Status.READY:
            return frozenset()
        return frozenset((keys.original(self.name), *self.renditions))


_COLUMNS: Final[tuple[ColumnElement[Any], ...]] = (
    *(photos.c.id, photos.c.owner, photos.c.name, photos.c.status, photos.c.size, photos.c.sha256),
    photos.c.reserved_at,
    literal_column("jsonb_path_query_array(renditions, '$[*].key')").label("keys"),
)
_PAGE: Final = written(
    select(*_COLUMNS)
    .where(photos.c.name > bindparam("after"))
    .order_by(photos.c.name)
    .limit(bindparam("count"))
)
_NAMED: Final = written(
    select(*_COLUMNS).where(photos.c.name == any_(bindparam("names", type_=ARRAY(Text))))
)
_HELD: Final = (
    select(*_COLUMNS).where(photos.c.name == bindparam("name")).with_for_update(key_share=True)
)
_WITHOUT: Final = (
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


class Roll:
    """All rows. Nobody's in particular: what is read here is shown to no visitor."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, *, after: str, limit: int) -> list[Entry]:
        """List rows by name, from the one after `after` on, as the index has them."""
        return _entries(await self._database.rows(_PAGE, {"after": after, "count": limit}))

    async def named(self, names: Sequence[str]) -> dict[str, Entry]:
        """Find the rows of these names, whatever their status."""
        rows = await self._database.rows(_NAMED, {"names": list(names)})
        return {entry.name: entry for entry in _entries(rows)}

    async def holding(
        self, name: str, work: Callable[[AsyncConnection, Entry | None], Awaitable[T]]
    ) -> T:
        """Do `work` in a transaction in which the row of this name can't change.

        It gets None if there is no row; since names are never used twice there never will be one
        again, if an object has been seen under that name.
        """

        async def held(connection: AsyncConnection) -> T:
            row = (await connection.execute(_HELD, {"name": name})).one_or_none()
            return await work(connection, None if row is None else _entry(row))

        return await self._database.transaction(held, deadline=_PATIENCE)


async def strike(connection: AsyncConnection, entry: Entry, struck: Sequence[str] = ()) -> None:
    """Strike renditions off a row that is held, by their keys; its version grows also for none.

    Whoever read the row before, and means to name other renditions, has to read it again.
    """
    await connection.execute(_WITHOUT, {"row": entry.id, "keys": list(struck)})


def _entries(rows: Sequence[Sequence[Any]]) -> list[Entry]:
    return [_entry(row) for row in rows]


def _entry(row: Sequence[Any]) -> Entry:
    id_, owner, name, status, size, sha256, reserved_at, renditions = row
    return Entry(
        id=id_,
        owner=owner,
        name=name,
        status=Status(status),
        size=size,
        sha256=sha256,
        reserved_at=reserved_at,
        renditions=tuple(renditions),
    )

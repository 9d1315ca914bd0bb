"""Claims: which process makes a rendition on demand, so that one does and others wait.

A claim is a lease. Its process renews it, and another may take it once it has expired. All times
are those of the database, since the clocks of two machines differ. A claim names the object's key
and is committed before the object is written, so the sweep finds what a process that died has left.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import (
    ARRAY,
    Text,
    any_,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.queries import compile_query
from safelight.catalog.tables import renderings

LEASE: Final = timedelta(seconds=6)
"""How long a claim is valid without being renewed. Clients wait longer than that."""

_NOW: Final = text("clock_timestamp()")
_UNTIL: Final = text(f"clock_timestamp() + interval '{LEASE.total_seconds():.0f} seconds'")

_KEYS: Final = cast(bindparam("keys"), ARRAY(Text))
_new = insert(renderings).values(
    key=bindparam("key"), claimed_by=bindparam("claimed_by"), expires_at=_UNTIL
)
_several = insert(renderings).from_select(
    ["key", "claimed_by", "expires_at"],
    select(func.unnest(_KEYS), cast(bindparam("claimed_by"), Text), _UNTIL),
)
_TAKE: Final = compile_query(
    _several.on_conflict_do_update(
        index_elements=[renderings.c.key],
        set_={
            "claimed_by": _several.excluded.claimed_by,
            "expires_at": _several.excluded.expires_at,
        },
        where=or_(
            renderings.c.expires_at < _NOW, renderings.c.claimed_by == _several.excluded.claimed_by
        ),
        # PostgreSQL sets xmax of a row that it has updated, not of one that it has inserted.
    ).returning(renderings.c.key, literal_column("xmax = 0"))
)
_left = insert(renderings).values(key=bindparam("key"), claimed_by="", expires_at=_NOW)
_LEAVE: Final = _left.on_conflict_do_update(
    index_elements=[renderings.c.key],
    set_={"claimed_by": _left.excluded.claimed_by, "expires_at": _left.excluded.expires_at},
)
_OWN = (renderings.c.key == any_(_KEYS), renderings.c.claimed_by == bindparam("claimed_by"))
_RENEW: Final = compile_query(
    update(renderings).where(*_OWN).values(expires_at=_UNTIL).returning(renderings.c.key)
)
_RELEASE: Final = compile_query(delete(renderings).where(*_OWN).returning(renderings.c.key))
_VALID: Final = compile_query(
    select(renderings.c.key).where(
        renderings.c.key == bindparam("own"), renderings.c.expires_at >= _NOW
    )
)
_ANY: Final = compile_query(select(renderings.c.key).where(renderings.c.key == bindparam("own")))
_OLD: Final = text("expires_at < clock_timestamp() - CAST(:age AS interval)")
_EXPIRED: Final = compile_query(
    select(renderings.c.key).where(_OLD).order_by(renderings.c.key).limit(bindparam("count"))
)
_OF_PHOTOS: Final = compile_query(
    select(renderings.c.key).where(
        func.split_part(renderings.c.key, text("'/'"), text("2"))
        == any_(cast(bindparam("storage_ids"), ARRAY(Text)))
    )
)


class RenderingClaims:
    """The claims of all processes. All calls raise CatalogUnavailable when PostgreSQL is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, keys: Sequence[str], *, claimed_by: str) -> set[str] | None:
        """Claim objects, all or none of them; return None if another process claims one.

        Otherwise returned are the keys that no one has claimed before. The objects of the others
        may exist although no row names them, so end those claims only once a row does, or when they
        are deleted.
        """
        parameters = {"keys": sorted(keys), "claimed_by": claimed_by}
        rows = await self._database.execute(_TAKE, parameters)
        new = {key for key, is_new in rows if is_new}
        if len(rows) == len(keys):
            return new
        await self.release(sorted(new), claimed_by=claimed_by)
        return None

    async def renew(self, key: str, *, claimed_by: str) -> bool:
        """Extend a claim; return whether it still is this one's."""
        parameters = {"keys": [key], "claimed_by": claimed_by}
        return bool(await self._database.execute(_RENEW, parameters))

    async def release(self, keys: Sequence[str], *, claimed_by: str) -> None:
        """End claims. Does nothing to those that another has taken over."""
        await self._database.execute(_RELEASE, {"keys": list(keys), "claimed_by": claimed_by})

    async def exists(self, key: str) -> bool:
        """Return whether an object is claimed, even by a claim that has expired."""
        return bool(await self._database.fetch_all(_ANY, {"own": key}))

    async def is_taken(self, key: str) -> bool:
        """Return whether an object is being made, by any process."""
        return bool(await self._database.fetch_all(_VALID, {"own": key}))

    async def list_of_photos(self, storage_ids: Sequence[str]) -> list[str]:
        """List the claimed keys of photos: their rows may not name these objects."""
        rows = await self._database.fetch_all(_OF_PHOTOS, {"storage_ids": list(storage_ids)})
        return [key for (key,) in rows]

    async def list_expired(self, *, age: timedelta, limit: int) -> list[str]:
        """List the keys of claims that expired that long ago: their processes have died."""
        rows = await self._database.fetch_all(_EXPIRED, {"age": age, "count": limit})
        return [key for (key,) in rows]


async def claim_removed(
    connection: AsyncConnection, keys: Sequence[str], *, claimed_by: str
) -> None:
    """Claim objects that no row names after this transaction, until they are deleted."""
    if keys:
        values = [{"key": key, "claimed_by": claimed_by} for key in keys]
        await connection.execute(_new.on_conflict_do_nothing(), values)


async def leave_to_sweep(connection: AsyncConnection, keys: Sequence[str]) -> None:
    """Let the sweep delete objects that no row names after this transaction.

    Their claims end, also those of others: a process that has stored or named one of them must find
    out that the row has changed, and must not end the claim.
    """
    if keys:
        await connection.execute(_LEAVE, [{"key": key} for key in sorted(keys)])


async def delete_expired_claim(connection: AsyncConnection, key: str, *, age: timedelta) -> bool:
    """Delete a claim that expired that long ago; return False if it has been taken meanwhile."""
    statement = delete(renderings).where(renderings.c.key == key, _OLD)
    return (await connection.execute(statement, {"age": age})).rowcount > 0

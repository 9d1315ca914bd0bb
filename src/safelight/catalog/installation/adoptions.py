"""The objects that were adopted, so that each becomes one photo of an owner.

The row is written in the transaction that makes the photo ready.
"""

from datetime import datetime
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.tables import adoptions
from safelight.errors import Busy


class Adoptions:
    """The records. Calls raise CatalogUnavailable if PostgreSQL is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, source: bytes) -> int | None:
        """Return the id of the photo that an object became; the photo may be deleted since."""
        query = select(adoptions.c.photo_id).where(adoptions.c.source == source)

        async def read(connection: AsyncConnection) -> int | None:
            return (await connection.execute(query)).scalar()

        return await self._database.read(read)

    async def record(
        self, connection: AsyncConnection, source: bytes, photo_id: int, *, now: datetime
    ) -> None:
        """Record an adoption in a transaction. Raises Busy if another one has just done so."""
        row = {"source": source, "photo_id": photo_id, "adopted_at": now}
        statement = insert(adoptions).values(row).on_conflict_do_nothing()
        if not (await connection.execute(statement)).rowcount:
            raise Busy("This object is being adopted by another program.")


def source_of(owner: str, store: str, bucket: str, key: str) -> bytes:
    """Return the digest of an object, and of the owner who gets its photo."""
    parts = (owner, store, bucket, key)
    return sha256("\0".join(parts).encode()).digest()

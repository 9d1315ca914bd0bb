"""The bucket that has the photos of a catalog.

With another bucket, every photo would be missing, and the sweep would take deleted photos for
purged. So a catalog remembers the name of its bucket from the first start on.
"""

from typing import Final

from sqlalchemy import exists, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.tables import installation, photos, uploads
from safelight.errors import SettingsError

_BUCKET: Final = "bucket"


class BucketRecord:
    """The name of the bucket. Calls raise CatalogUnavailable if PostgreSQL is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, bucket: str) -> None:
        """Store the bucket's name at the first start. Raises SettingsError if it is another one.

        A catalog without photos and uploads takes any bucket.
        """

        async def work(connection: AsyncConnection) -> str:
            first = insert(installation).values(name=_BUCKET, value=bucket)
            await connection.execute(first.on_conflict_do_nothing())
            known = await _read(connection)
            if known not in {None, bucket} and await _is_empty(connection):
                await _write(connection, bucket)
                return bucket
            return known or bucket

        known = await self._database.transaction(work)
        if known != bucket:
            raise SettingsError(describe_other_bucket(known, bucket))

    async def replace(self, bucket: str) -> str | None:
        """Store another bucket's name, and return the previous one."""

        async def work(connection: AsyncConnection) -> str | None:
            known = await _read(connection)
            await _write(connection, bucket)
            return known

        return await self._database.transaction(work)


def describe_other_bucket(known: str, bucket: str) -> str:
    """Return what to do when the settings name another bucket than the database."""
    return (
        f"The photos of this database are in the bucket {known!r}, but SAFELIGHT_S3__BUCKET is"
        f" {bucket!r}. Correct the setting; or, if you have copied all photos to {bucket!r}, run"
        f" 'safelight db set-bucket {bucket}'."
    )


async def _read(connection: AsyncConnection) -> str | None:
    query = select(installation.c.value).where(installation.c.name == _BUCKET)
    found = await connection.execute(query.with_for_update())
    value: str | None = found.scalar_one_or_none()
    return value


async def _write(connection: AsyncConnection, bucket: str) -> None:
    statement = insert(installation).values(name=_BUCKET, value=bucket)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[installation.c.name], set_={"value": statement.excluded.value}
        )
    )


async def _is_empty(connection: AsyncConnection) -> bool:
    """Return whether no row names an object in the bucket."""
    rows = [exists(select(literal(1)).select_from(table)) for table in (photos, uploads)]
    return not any((await connection.execute(select(*rows))).one())

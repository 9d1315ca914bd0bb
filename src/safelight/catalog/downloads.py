"""The rows of downloads: which photos an archive has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.tables import downloads
from safelight.errors import NotFound

_MAX_PER_OWNER = 100
"""Older rows of an owner are deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadRow:
    """What an archive has: the ids of the photos in order, and the archive's file name."""

    photo_ids: Sequence[int]
    filename: str
    expires_at: datetime


class DownloadRows:
    """The rows. Calls raise CatalogUnavailable if PostgreSQL is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, owner: str, name: str, row: DownloadRow, *, now: datetime) -> None:
        """Store a download under a random name."""
        newest = (
            select(downloads.c.name)
            .where(downloads.c.owner == owner)
            .order_by(downloads.c.created_at.desc())
            .limit(_MAX_PER_OWNER - 1)
        )
        old = delete(downloads).where(
            downloads.c.owner == owner, downloads.c.name.not_in(newest.scalar_subquery())
        )
        new = insert(downloads).values(
            name=name,
            owner=owner,
            photo_ids=list(row.photo_ids),
            filename=row.filename,
            created_at=now,
            expires_at=row.expires_at,
        )

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(old)
            await connection.execute(new)

        await self._database.transaction(work)

    async def find(self, owner: str, name: str, *, now: datetime) -> DownloadRow:
        """Return one of the owner's downloads. Raises NotFound, also for an expired one."""
        query = select(downloads.c.photo_ids, downloads.c.filename, downloads.c.expires_at).where(
            downloads.c.name == name, downloads.c.owner == owner, downloads.c.expires_at > now
        )

        async def work(connection: AsyncConnection) -> DownloadRow | None:
            row = (await connection.execute(query)).one_or_none()
            return DownloadRow(**row._mapping) if row else None

        if row := await self._database.read(work):
            return row
        raise NotFound("There is no such download, or it has expired. Start it again.")

    async def delete_expired(self, *, now: datetime) -> None:
        """Delete the rows of expired downloads."""
        await self._database.process_in_batches(
            select(downloads.c.name).where(downloads.c.expires_at <= now),
            lambda names: delete(downloads).where(
                downloads.c.name.in_(names), downloads.c.expires_at <= now
            ),
        )

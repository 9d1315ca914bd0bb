"""Direct uploads as rows: reserved before a byte is sent, kept until no signature can write."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Update,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.errors import NotFound, TooManyUploads
from safelight.photo import Caption
from safelight.tables import uploads
from safelight.upload import Upload, UploadStatus

_Along = Callable[[AsyncConnection], Awaitable[None]]

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:owner, 1634755955))")
"""Held while an owner's reservations are counted; the number keeps it apart from other locks."""

_OPEN = uploads.c.status == UploadStatus.OPEN


class UploadEnded(Exception):
    """The upload is no longer open: somebody else completed it, or it was aborted."""


class Uploads:
    """The rows of direct uploads. Calls raise CatalogUnavailable when PostgreSQL is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, upload: Upload, *, at_most: int) -> None:
        """Commit an open row, before anything is signed for it.

        Raises TooManyUploads if its owner has `at_most` that are open and not over.
        """
        opened = (uploads.c.owner == upload.owner, uploads.c.expires_at > upload.created_at)
        count = select(func.count()).select_from(uploads).where(_OPEN, *opened)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_ONE_AT_A_TIME, {"owner": upload.owner})
            if (await connection.execute(count)).scalar_one() >= at_most:
                raise TooManyUploads
            await connection.execute(insert(uploads).values(_columns(upload)))

        await self._database.transaction(work)

    async def find(self, owner: str, name: str) -> Upload:
        """Find one. Raises NotFound also for what belongs to somebody else."""
        query = select(uploads).where(uploads.c.name == name, uploads.c.owner == owner)

        async def work(connection: AsyncConnection) -> Upload | None:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else _upload(row)

        found = await self._database.read(work)
        if found is None:
            raise NotFound("There is no such upload.")
        return found

    async def complete(
        self, connection: AsyncConnection, name: str, photo_id: int, *, now: datetime
    ) -> None:
        """Note, in the connection's transaction, which photo it became. Raises UploadEnded."""
        statement = (
            update(uploads)
            .where(uploads.c.name == name, _OPEN)
            .values(status=UploadStatus.COMPLETED, photo_id=photo_id, ended_at=now)
        )
        if (await connection.execute(statement)).rowcount != 1:
            raise UploadEnded

    async def abort(self, name: str, *, now: datetime, along: _Along) -> bool:
        """End one that is open; whether it was. `along` is done in the same transaction."""
        statement = _aborted(uploads.c.name == name, now=now)

        async def work(connection: AsyncConnection) -> bool:
            ended = (await connection.execute(statement)).rowcount == 1
            if ended:
                await along(connection)
            return ended

        return await self._database.transaction(work)

    async def end_stale(self, *, now: datetime) -> int:
        """End those whose time is over; gives how many there were."""
        stale = uploads.c.expires_at <= now, _OPEN
        return await self._database.drain(
            select(uploads.c.name).where(*stale),
            lambda names: _aborted(uploads.c.name.in_(names), now=now),
        )

    async def unswept(self, *, after: str, limit: int) -> list[Upload]:
        """List ended ones that were never cleared away, by name, from the one after `after` on."""
        return await self._listed(uploads.c.swept_at.is_(None), after=after, limit=limit)

    async def settled(
        self, *, expired_before: datetime, completed_before: datetime, after: str, limit: int
    ) -> list[Upload]:
        """List ended ones whose signatures died before a time, as `unswept` does.

        Those that became photos are listed only if they did before `completed_before`.
        """
        old_enough = or_(
            uploads.c.status == UploadStatus.ABORTED,
            and_(uploads.c.status == UploadStatus.COMPLETED, uploads.c.ended_at < completed_before),
        )
        expired = uploads.c.expires_at < expired_before
        return await self._listed(expired, old_enough, after=after, limit=limit)

    async def known(self, names: Sequence[str]) -> set[str]:
        """Tell which of the names have a row, whoever's and in whatever state.

        One that has none never will: a row is committed before anything is signed for its name.
        """
        query = select(uploads.c.name).where(uploads.c.name.in_(names))

        async def work(connection: AsyncConnection) -> set[str]:
            return set((await connection.execute(query)).scalars())

        return await self._database.read(work)

    async def overdue(self, *, expired_before: datetime, after: str, limit: int) -> list[str]:
        """List the names of open ones whose time was over before a time, as `unswept` does."""
        query = (
            select(uploads.c.name)
            .where(_OPEN, uploads.c.expires_at < expired_before, uploads.c.name > after)
            .order_by(uploads.c.name)
            .limit(limit)
        )

        async def work(connection: AsyncConnection) -> list[str]:
            return list((await connection.execute(query)).scalars())

        return await self._database.read(work)

    async def note_swept(self, names: Sequence[str], *, now: datetime) -> None:
        """Note that what was sent of ended ones is gone."""
        statement = update(uploads).where(uploads.c.name.in_(names), ~_OPEN).values(swept_at=now)
        await self._database.transaction(lambda connection: connection.execute(statement))

    async def forget(self, names: Sequence[str]) -> None:
        """Drop the rows of ended ones."""
        statement = delete(uploads).where(uploads.c.name.in_(names), ~_OPEN)
        await self._database.transaction(lambda connection: connection.execute(statement))

    async def _listed(self, *which: ColumnElement[bool], after: str, limit: int) -> list[Upload]:
        query = (
            select(uploads)
            .where(~_OPEN, uploads.c.name > after, *which)
            .order_by(uploads.c.name)
            .limit(limit)
        )

        async def work(connection: AsyncConnection) -> list[Upload]:
            return [_upload(row) for row in await connection.execute(query)]

        return await self._database.read(work)


def _aborted(which: ColumnElement[bool], *, now: datetime) -> Update:
    return update(uploads).where(which, _OPEN).values(status=UploadStatus.ABORTED, ended_at=now)


def _columns(upload: Upload) -> dict[str, Any]:
    columns = {name: getattr(upload, name) for name in _PLAIN}
    return columns | asdict(upload.caption)


_CAPTION = ("title", "description", "filename")
_PLAIN = (
    *("name", "owner", "status", "content_type", "size", "sha256", "part_size"),
    *("created_at", "expires_at", "photo_id"),
)


def _upload(row: Any) -> Upload:  # noqa: ANN401  a row has no type that names its columns
    columns = row._mapping  # noqa: SLF001  SQLAlchemy's public name
    caption = Caption(**{name: columns[name] for name in _CAPTION})
    plain = {name: columns[name] for name in _PLAIN}
    return Upload(**{**plain, "status": UploadStatus(plain["status"])}, caption=caption)

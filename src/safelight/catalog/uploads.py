"""The rows of direct uploads: reserved before any byte is sent, kept until no signature is valid.

The column `name` holds the upload's id.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from operator import methodcaller
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    Update,
    and_,
    any_,
    bindparam,
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
from safelight.catalog.queries import compile_query
from safelight.catalog.tables import uploads
from safelight.catalog.tombstones import TransactionHook
from safelight.errors import NotFound, TooManyUploads
from safelight.models import Caption, Photo, Upload, UploadStatus

_LOCK_OWNER = text("SELECT pg_advisory_xact_lock(hashtextextended(:owner, 1634755955))")
"""Held while an owner's open uploads are counted; the seed is used by these locks only."""

_NO_LIMIT: Final = 2**62

_OPEN = uploads.c.status == UploadStatus.OPEN

_COLUMNS: Final = (
    *(uploads.c.name, uploads.c.owner, uploads.c.status, uploads.c.title, uploads.c.description),
    *(uploads.c.filename, uploads.c.content_type, uploads.c.size, uploads.c.sha256),
    *(uploads.c.part_size, uploads.c.created_at, uploads.c.expires_at, uploads.c.photo_id),
    *(uploads.c.modified_at, uploads.c.modified_offset),
)
_FIND: Final = compile_query(
    select(*_COLUMNS).where(
        uploads.c.name == bindparam("name"), uploads.c.owner == bindparam("owner")
    )
)
_MARK_SWEPT: Final = compile_query(
    update(uploads)
    .where(uploads.c.name == any_(bindparam("ids", type_=ARRAY(Text))), text("status <> 'open'"))
    .returning(uploads.c.name),
    "swept_at",
)


class UploadEnded(Exception):
    """The upload is no longer open: another request completed it, or it was aborted."""


class Uploads:
    """The rows of direct uploads. All calls raise CatalogUnavailable when PostgreSQL is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(
        self,
        upload: Upload,
        *,
        at_most: int,
        max_bytes: int = _NO_LIMIT,
        signature_lifetime: timedelta = timedelta(0),
    ) -> None:
        """Commit an open row, before anything is signed for it.

        Raises TooManyUploads if its owner has `at_most` open uploads that have not expired, or if
        these have more than `max_bytes` with this one. Aborted ones count as long as their last
        signature is valid, since it can write again.
        """
        now, modified_at = upload.created_at, upload.modified_at
        writable = or_(
            _OPEN,
            and_(
                uploads.c.status == UploadStatus.ABORTED,
                uploads.c.ended_at > now - signature_lifetime,
            ),
        )
        count = (
            select(
                func.count().filter(_OPEN),
                func.coalesce(func.sum(uploads.c.size), 0),
            )
            .select_from(uploads)
            .where(writable, uploads.c.owner == upload.owner, uploads.c.expires_at > now)
        )
        row = {
            "name": upload.upload_id,
            "owner": upload.owner,
            "status": upload.status,
            "content_type": upload.content_type,
            "size": upload.size,
            "sha256": upload.sha256,
            "part_size": upload.part_size,
            "created_at": upload.created_at,
            "expires_at": upload.expires_at,
            "photo_id": upload.photo_id,
            "modified_at": modified_at and modified_at.replace(tzinfo=None),
            "modified_offset": modified_at and modified_at.utcoffset(),
            **asdict(upload.caption),
        }

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_LOCK_OWNER, {"owner": upload.owner})
            open_uploads, size = (await connection.execute(count)).one()
            if open_uploads >= at_most or size + upload.size > max_bytes:
                raise TooManyUploads
            await connection.execute(insert(uploads).values(row))

        await self._database.transaction(work)

    async def find(self, owner: str, upload_id: str) -> Upload:
        """Return an upload of the owner. Raises NotFound."""
        rows = await self._database.fetch_all(_FIND, {"owner": owner, "name": upload_id})
        if not rows:
            raise NotFound("There is no such upload.")
        return _upload_from_row(rows[0])

    async def complete(
        self,
        connection: AsyncConnection,
        photo: Photo,
        *,
        upload_id: str,
        clock: Callable[[], datetime],
        in_transaction: TransactionHook,
    ) -> None:
        """Complete an upload in the caller's transaction, with its photo. Raises UploadEnded."""
        statement = (
            update(uploads)
            .where(uploads.c.name == upload_id, _OPEN)
            .values(status=UploadStatus.COMPLETED, photo_id=photo.id, ended_at=clock())
        )
        if (await connection.execute(statement)).rowcount != 1:
            raise UploadEnded
        await in_transaction(connection)

    async def abort(
        self, upload_id: str, *, now: datetime, in_transaction: TransactionHook
    ) -> bool:
        """Abort an upload, and return whether it was open. The hook runs only then."""
        statement = _abort(uploads.c.name == upload_id, now=now)

        async def work(connection: AsyncConnection) -> bool:
            was_open = (await connection.execute(statement)).rowcount == 1
            if was_open:
                await in_transaction(connection)
            return was_open

        return await self._database.transaction(work)

    async def list_open(self, owner: str) -> list[str]:
        """List the ids of an owner's open uploads."""
        return await self._read_ids(uploads.c.owner == owner, _OPEN)

    async def abort_expired(self, *, now: datetime) -> int:
        """Abort the uploads that have expired, and return their number."""
        return await self._database.process_in_batches(
            select(uploads.c.name).where(uploads.c.expires_at <= now, _OPEN),
            lambda ids: _abort(uploads.c.name.in_(ids), now=now),
        )

    async def list_unswept(self, *, after: str, limit: int) -> list[Upload]:
        """List ended uploads whose data has never been cleared, by id, after the id `after`."""
        return await self._list_ended(uploads.c.swept_at.is_(None), after=after, limit=limit)

    async def list_due(
        self, *, expired_before: datetime, completed_before: datetime, after: str, limit: int
    ) -> list[Upload]:
        """List ended uploads whose signatures expired before a time, as `list_unswept` does.

        Completed ones are only listed if they were completed before `completed_before`.
        """
        old_enough = or_(
            uploads.c.status == UploadStatus.ABORTED,
            and_(uploads.c.status == UploadStatus.COMPLETED, uploads.c.ended_at < completed_before),
        )
        expired = uploads.c.expires_at < expired_before
        return await self._list_ended(expired, old_enough, after=after, limit=limit)

    async def find_known(self, ids: Sequence[str]) -> set[str]:
        """Return those of the ids that have a row, of any owner and in any state.

        An id without a row never gets one: a row is committed before anything is signed for it.
        """
        return set(await self._read_ids(uploads.c.name.in_(ids)))

    async def find_swept(self, ids: Sequence[str]) -> set[str]:
        """Return those of the ids whose uploads have ended, and whose data has been cleared."""
        return set(await self._read_ids(uploads.c.name.in_(ids), uploads.c.swept_at.is_not(None)))

    async def list_overdue(self, *, expired_before: datetime, after: str, limit: int) -> list[str]:
        """List the ids of open uploads that expired before a time, as `list_unswept` does."""
        overdue = (_OPEN, uploads.c.expires_at < expired_before, uploads.c.name > after)
        return await self._read_ids(*overdue, limit=limit)

    def mark_swept(self, ids: Sequence[str], *, now: datetime) -> Awaitable[object]:
        """Record that the data of ended uploads has been cleared."""
        return self._database.execute(_MARK_SWEPT, {"ids": list(ids), "swept_at": now})

    async def delete(self, ids: Sequence[str]) -> None:
        """Delete the rows of ended uploads."""
        statement = delete(uploads).where(uploads.c.name.in_(ids), ~_OPEN)
        await self._database.transaction(methodcaller("execute", statement))

    async def _read_ids(
        self, *conditions: ColumnElement[bool], limit: int | None = None
    ) -> list[str]:
        query = select(uploads.c.name).where(*conditions).order_by(uploads.c.name).limit(limit)

        async def work(connection: AsyncConnection) -> list[str]:
            return list((await connection.execute(query)).scalars())

        return await self._database.read(work)

    async def _list_ended(
        self, *conditions: ColumnElement[bool], after: str, limit: int
    ) -> list[Upload]:
        query = (
            select(*_COLUMNS)
            .where(~_OPEN, uploads.c.name > after, *conditions)
            .order_by(uploads.c.name)
            .limit(limit)
        )

        async def work(connection: AsyncConnection) -> list[Upload]:
            return [_upload_from_row(row) for row in await connection.execute(query)]

        return await self._database.read(work)


def _abort(condition: ColumnElement[bool], *, now: datetime) -> Update:
    return update(uploads).where(condition, _OPEN).values(status=UploadStatus.ABORTED, ended_at=now)


def _upload_from_row(row: Sequence[Any]) -> Upload:
    id_, owner, status, title, description, filename, content_type, size, sha256, *others = row
    part_size, created_at, expires_at, photo_id, modified_at, modified_offset = others
    if modified_at and modified_offset is not None:
        modified_at = modified_at.replace(tzinfo=timezone(modified_offset))
    return Upload(
        upload_id=id_,
        owner=owner,
        status=UploadStatus(status),
        caption=Caption(title=title, description=description, filename=filename),
        content_type=content_type,
        size=size,
        sha256=sha256,
        part_size=part_size,
        created_at=created_at,
        expires_at=expires_at,
        photo_id=photo_id,
        modified_at=modified_at,
    )

"""Reservations: rows committed before their objects are written, which then become photos."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import msgspec
from psycopg import errors as pg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.changes.counter import ChangeCounter
from safelight.catalog.connections.pool import run_on
from safelight.catalog.database import Database
from safelight.catalog.deletion.trash import restore_photos
from safelight.catalog.months.counts import FOLD_EVERY, MonthCounts
from safelight.catalog.queries import FIND_DUPLICATE, FIND_DUPLICATES, PUBLISH, RESERVE
from safelight.catalog.rows import (
    columns_from_facts,
    photo_from_row,
)
from safelight.catalog.tables import photos, unique_sha256
from safelight.catalog.tombstones import PhotoHook, Tombstone, TransactionHook, soft_delete
from safelight.errors import NotFound
from safelight.models import Caption, ImageFacts, Photo, Rendition, Status

_ATTEMPTS: Final = 5
"""Attempts to publish when the duplicate that prevented it has just been deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A committed row; objects may now be written under its `storage_id`."""

    id: int
    owner: str
    storage_id: str


class Reservations:
    """The rows of future photos. All calls raise CatalogUnavailable when PostgreSQL is down."""

    def __init__(
        self,
        database: Database,
        month_counts: MonthCounts,
        changes: ChangeCounter,
        *,
        finds_duplicates: bool = True,
    ) -> None:
        self._database = database
        self._month_counts = month_counts
        self._changes = changes
        self._finds_duplicates = finds_duplicates

    async def reserve(
        self,
        owner: str,
        caption: Caption,
        *,
        storage_id: str,
        now: datetime,
        renditions: Sequence[Rendition] = (),
    ) -> Reservation:
        """Commit a pending row with the keys of its objects, before any is written."""
        row = {
            "owner": owner,
            "status": str(Status.PENDING),
            "name": storage_id,
            "reserved_at": now,
            "rendered": msgspec.json.encode(renditions).decode(),
        }
        ((id_,),) = await self._database.execute(RESERVE, row | asdict(caption))
        return Reservation(id=id_, owner=owner, storage_id=storage_id)

    async def publish(
        self,
        reservation: Reservation,
        facts: ImageFacts,
        *,
        size: int,
        sha256: str,
        now: datetime,
        thumbhash: bytes | None = None,
        within: AsyncConnection | None = None,
        hooks: Sequence[PhotoHook] = (),
    ) -> Photo:
        """Make the row ready in one statement, unless the owner already has the same bytes.

        Without `finds_duplicates`, that doesn't matter.

        Returns the row's photo or the existing duplicate: compare the ids. `within` is a
        transaction of the caller. The hooks run in the same transaction if the row becomes ready.
        Raises NotFound if the row is no longer pending, HookError if a hook of the host raises.
        """
        columns = columns_from_facts(facts, now=now)
        parameters: dict[str, object] = {
            "reserved": reservation.id,
            "status": str(Status.READY),
            "size": size,
            "sha256": sha256,
            "created_at": now,
            "detailed": json.dumps(columns.pop("details")),
            "thumbhash": thumbhash,
            "is_separate": 0 if self._finds_duplicates else 1,
            **columns,
        }
        for _ in range(_ATTEMPTS):
            try:
                if within:
                    # A savepoint, so that a duplicate doesn't abort the caller's transaction.
                    async with within.begin_nested():
                        photo = await _publish_row(
                            within, parameters, hooks, on_own_connection=False
                        )
                elif hooks:
                    photo = await self._database.transaction(
                        partial(_publish_row, parameters=parameters, hooks=hooks)
                    )
                else:  # the statement alone, for less CPU
                    rows = await self._database.execute(PUBLISH, parameters)
                    photo = photo_from_row(rows[0]) if rows else None
            except (IntegrityError, pg.UniqueViolation) as error:
                if str(unique_sha256.name) not in str(error):
                    raise
                photo = await self.find_duplicate(reservation.owner, sha256, within=within)
                if photo is None:
                    continue
            if photo is None:
                break
            if photo.id % FOLD_EVERY == 0:
                await self._month_counts.try_to_fold()
                await self._changes.try_to_fold()
            return photo
        raise NotFound

    async def find_duplicate(
        self, owner: str, sha256: str, *, within: AsyncConnection | None = None
    ) -> Photo | None:
        """Return the owner's photo with these bytes, if there is one and it has to be unique.

        One in the trash is restored, in the caller's transaction if it is `within` one.
        """
        if not self._finds_duplicates:
            return None
        parameters = {"owner": owner, "sha256": sha256}
        rows: Sequence[Any]
        while True:
            if within:
                rows = (await within.execute(FIND_DUPLICATE.statement, parameters)).all()
            else:
                rows = await self._database.fetch_all(FIND_DUPLICATE, parameters)
            if not rows:
                return None
            photo = photo_from_row(rows[0])
            if photo.trashed_at is None:
                return photo
            restore = partial(restore_photos, owner=owner, ids=[photo.id])
            restored = await (restore(within) if within else self._database.transaction(restore))
            if restored:  # otherwise it was restored or deleted meanwhile
                return restored[0]

    async def find_duplicates(self, owner: str, sha256: Collection[str]) -> list[Photo]:
        """Return the owner's photos with any of these bytes, if they have to be unique."""
        if not self._finds_duplicates:
            return []
        parameters = {"owner": owner, "sha256": list(sha256)}
        rows = await self._database.fetch_all(FIND_DUPLICATES, parameters)
        return [photo_from_row(row) for row in rows]

    async def abandon(
        self,
        reservation: Reservation,
        *,
        now: datetime,
        in_transaction: TransactionHook | None = None,
    ) -> Tombstone | None:
        """Turn the row into a tombstone if it is still pending; otherwise return None."""
        pending = (photos.c.id == reservation.id, photos.c.status == Status.PENDING)
        return await soft_delete(self._database, *pending, now=now, in_transaction=in_transaction)


async def _publish_row(
    connection: AsyncConnection,
    parameters: Mapping[str, object],
    hooks: Sequence[PhotoHook],
    *,
    on_own_connection: bool = True,
) -> Photo | None:
    """Publish a pending row, run the hooks, and return the photo; None if it isn't pending."""
    rows: Sequence[Any]
    if on_own_connection:
        rows = await run_on(connection, PUBLISH, parameters)
    else:  # the caller's driver may not be psycopg
        rows = (await connection.execute(PUBLISH.statement, parameters)).all()
    if not rows:
        return None
    photo = photo_from_row(rows[0])
    for hook in hooks:
        await hook(connection, photo)
    return photo

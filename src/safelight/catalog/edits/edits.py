"""Edit photos one at a time: what owners change, and what a new inspection finds."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import ColumnElement, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from safelight.catalog.database import Database
from safelight.catalog.edits.dates import date_values, keep_owners_date
from safelight.catalog.edits.turns import TurnHook, turn_photos
from safelight.catalog.queries import BY_IDS_WITH_TRASH
from safelight.catalog.rows import (
    COLUMNS,
    columns_from_facts,
    photo_from_row,
)
from safelight.catalog.tables import photos
from safelight.errors import NotFound
from safelight.models import (
    CaptureDate,
    DateSource,
    ImageFacts,
    OwnDate,
    Photo,
    Rendition,
    Status,
)


class PhotoEdits:
    """Changes the rows of photos. All calls raise CatalogUnavailable when PostgreSQL is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def edit(
        self,
        owner: str,
        id_: int,
        *,
        title: str | None = None,
        description: str | None = None,
        date: CaptureDate | OwnDate | None = None,
        turn: int | None = None,
        turned: TurnHook | None = None,
    ) -> Photo:
        """Change title, description, capture time or turn; None keeps the current.

        `turned` runs in the same transaction if the turn has changed. Raises NotFound.
        """
        changes = {"title": title, "description": description}
        values = {column: value for column, value in changes.items() if value is not None}
        statement = (
            update(photos)
            .where(*_is_photo(owner, id_), photos.c.trashed_at.is_(None))
            .values(version=photos.c.version + 1)
            .values({**values, **(date_values(date) if date else {})})
            .returning(*COLUMNS)
        )

        async def work(connection: AsyncConnection) -> Photo:
            if turn is not None:
                await turn_photos(connection, owner, [id_], lambda _: turn, turned)
            return await _execute(connection, statement)

        return await self._database.transaction(work)

    async def store_inspection(
        self,
        photo: Photo,
        facts: ImageFacts,
        *,
        renditions: Sequence[Rendition] | None = None,
        thumbhash: bytes | None = None,
    ) -> Photo | None:
        """Store what a new inspection found; return None if the row has changed meanwhile.

        A capture time that the owner has set stays: the new one is kept beside it. The version
        grows only if something that clients see changes. Raises NotFound if the photo was deleted.
        """
        values, old = columns_from_facts(facts, now=photo.created_at), photo.facts
        if old.taken_from is DateSource.USER:
            values = keep_owners_date(values)
            facts = replace(
                facts,
                taken_at=old.taken_at,
                taken_offset=old.taken_offset,
                taken_from=old.taken_from,
            )
        is_same = facts == replace(old, dates=facts.dates) and renditions is None
        if renditions is not None:
            values |= {"renditions": [asdict(each) for each in renditions], "thumbhash": thumbhash}
        statement = (
            update(photos)
            .where(*_is_photo(photo.owner, photo.id), photos.c.version == photo.version)
            .values(
                **values,
                version=photos.c.version + (0 if is_same else 1),
            )
            .returning(*COLUMNS)
        )
        try:
            return await self._database.transaction(
                lambda connection: _execute(connection, statement)
            )
        except NotFound:
            wanted = {"owner": photo.owner, "ids": [photo.id]}
            if not await self._database.fetch_all(BY_IDS_WITH_TRASH, wanted):
                raise
            return None


async def _execute(
    connection: AsyncConnection, statement: ReturningUpdate[*tuple[Any, ...]]
) -> Photo:
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise NotFound
    return photo_from_row(row)


def _is_photo(owner: str, id_: int) -> tuple[ColumnElement[bool], ...]:
    return (photos.c.owner == owner, photos.c.id == id_, photos.c.status == Status.READY)

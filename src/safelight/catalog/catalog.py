"""What can be asked of the catalog.

A row is *pending* from before its object is written until it is acknowledged, *ready* while it
is a photo, and *deleted* (a tombstone) until nothing of it can be left in the store.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from safelight.catalog.database import Database, Work
from safelight.catalog.pages import Cursor, Month, Page
from safelight.catalog.queries import BY_IDS, MONTHS, NEXT, PAGES
from safelight.catalog.reservations import Reservations, twin
from safelight.catalog.roll import Roll
from safelight.catalog.rows import COLUMNS, photo
from safelight.catalog.schema import in_an_operators_terms, upgrade
from safelight.catalog.sessions import Sessions
from safelight.catalog.tombstones import Along, Doomed, Tombstones, bury
from safelight.catalog.uploads import Uploads
from safelight.errors import NotFound
from safelight.photo import Order, Photo, Rendition, Status
from safelight.tables import photos

T = TypeVar("T")


class Catalog:
    """The rows. Whatever reads or changes a photo for somebody takes `owner`.

    Every call raises CatalogUnavailable when PostgreSQL doesn't answer within `deadline`.
    """

    def __init__(self, url: str, *, deadline: timedelta = timedelta(seconds=4)) -> None:
        self._database = Database(url, deadline=deadline)
        self.reservations = Reservations(self._database)
        self.sessions = Sessions(self._database)
        self.tombstones = Tombstones(self._database)
        self.roll = Roll(self._database)
        self.uploads = Uploads(self._database)

    @property
    def url(self) -> str:
        """Where it is, password and all, as SQLAlchemy's async engine takes it."""
        return self._database.url

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    async def upgrade(self) -> None:
        """Bring the schema to the newest version; of several at once, one does it.

        Raises SettingsError if the server doesn't answer, won't have the URL's user, has no such
        database or lets no tables be made there, or if a newer version made what is there.
        """
        with in_an_operators_terms():
            await self._database.transaction(
                lambda connection: connection.run_sync(upgrade), deadline=timedelta(minutes=10)
            )

    async def ping(self) -> None:
        """Return if PostgreSQL answers."""
        await self._database.read(lambda connection: connection.execute(text("SELECT 1")))

    async def twin(
        self, owner: str, sha256: str, *, within: AsyncConnection | None = None
    ) -> Photo | None:
        """Find the photo with these bytes, if the owner has one."""
        return await twin(self._database, owner, sha256, within=within)

    async def photo(self, owner: str, id_: int) -> Photo:
        """Find one. Raises NotFound also for what belongs to somebody else."""
        found = await self.photos(owner, [id_])
        if not found:
            raise NotFound
        return found[0]

    async def photos(self, owner: str, ids: Sequence[int]) -> list[Photo]:
        """Find those of the ids that are there and the owner's, in no order."""
        rows = await self._database.rows(BY_IDS, {"owner": owner, "ids": list(ids)})
        return [photo(row) for row in rows]

    async def next(self, owner: str, *, after: int, limit: int) -> list[Photo]:
        """List photos by their ids, from the one after `after` on, for who goes through all."""
        asked = {"owner": owner, "after": after, "count": limit}
        return [photo(row) for row in await self._database.rows(NEXT, asked)]

    async def page(
        self, owner: str, *, order: Order, after: Cursor | None, limit: int, skip: int = 0
    ) -> Page:
        """List the ids and versions of a page, newest first, the first `skip` left out."""
        parameters: dict[str, object] = {"owner": owner, "count": limit + 1, "skip": skip}
        if after:
            parameters |= {"at": after.at, "id": after.id}
        rows = await self._database.rows(PAGES[order, after is not None], parameters)
        return _page(rows, order, limit)

    async def months(self, owner: str, *, order: Order) -> list[Month]:
        """Count the photos of each month that has any, newest first."""
        rows = await self._database.rows(MONTHS[order], {"owner": owner})
        return [Month.of(order, begins, count) for begins, count in rows]

    async def edit(
        self, owner: str, id_: int, *, title: str | None = None, description: str | None = None
    ) -> Photo:
        """Change title or description, or both; None leaves it. Raises NotFound."""
        changes = {"title": title, "description": description}
        statement = (
            update(photos)
            .where(*_theirs(owner, id_))
            .values(
                version=photos.c.version + 1,
                **{column: value for column, value in changes.items() if value is not None},
            )
            .returning(*COLUMNS)
        )

        return await self._changed(statement)

    async def develop(
        self, photo: Photo, renditions: Sequence[Rendition], thumbhash: bytes
    ) -> Photo | None:
        """Note which renditions there are now; None if the row is no longer as `photo` has it.

        Then what was stored may be gone, since no row named it. Raises NotFound if the photo went
        meanwhile.
        """
        statement = (
            update(photos)
            .where(*_theirs(photo.owner, photo.id), photos.c.version == photo.version)
            .values(
                version=photos.c.version + 1,
                renditions=[asdict(rendition) for rendition in renditions],
                thumbhash=thumbhash,
            )
            .returning(*COLUMNS)
        )
        try:
            return await self._changed(statement)
        except NotFound:
            await self.photo(photo.owner, photo.id)
            return None

    async def read(self, work: Work[T]) -> T:
        """Run `work` of somebody else's on a connection of the catalog's, outside a transaction."""
        return await self._database.read(work)

    async def change(self, work: Work[T]) -> T:
        """Run `work` of somebody else's in one transaction of the catalog's."""
        return await self._database.transaction(work)

    async def bury(
        self, owner: str, id_: int, *, now: datetime, along: Along | None = None
    ) -> Doomed:
        """Turn a photo into a tombstone. Raises NotFound, also the second time.

        `along` is done in the same transaction.
        """
        doomed = await bury(self._database, *_theirs(owner, id_), now=now, along=along)
        if doomed is None:
            raise NotFound
        return doomed

    async def _changed(self, statement: ReturningUpdate[*tuple[Any, ...]]) -> Photo:
        async def work(connection: AsyncConnection) -> Photo:
            row = (await connection.execute(statement)).one_or_none()
            if row is None:
                raise NotFound
            return photo(row)

        return await self._database.transaction(work)


def _page(rows: list[tuple[Any, ...]], order: Order, limit: int) -> Page:
    states = tuple((id_, version) for id_, version, _ in rows[:limit])
    if len(rows) <= limit:
        return Page(states, None)
    id_, _, at = rows[limit - 1]
    return Page(states, Cursor(order=order, at=at, id=id_))


def _theirs(owner: str, id_: int) -> tuple[ColumnElement[bool], ...]:
    return (photos.c.owner == owner, photos.c.id == id_, photos.c.status == Status.READY)

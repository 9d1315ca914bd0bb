"""What can be asked of the catalog.

A row is *pending* from before its object is written until it is acknowledged, *ready* while it
is a photo, and *deleted* (a tombstone) until nothing of it can be left in the store.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from psycopg import errors as pg
from sqlalchemy import ColumnElement, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from safelight.catalog.database import Database, Work, fetched
from safelight.catalog.pages import Cursor, Month, Page
from safelight.catalog.queries import BY_IDS, MONTHS, NEXT, PAGES, PUBLISH, RESERVE, TWIN
from safelight.catalog.roll import Roll
from safelight.catalog.rows import COLUMNS, detailed, facts_columns, photo, rendered
from safelight.catalog.schema import in_an_operators_terms, upgrade
from safelight.catalog.sessions import Sessions
from safelight.catalog.tombstones import Doomed, Tombstones, doomed
from safelight.catalog.uploads import Uploads
from safelight.errors import NotFound
from safelight.photo import Caption, ImageFacts, Order, Photo, Rendition, Status
from safelight.tables import photos, twins

T = TypeVar("T")
Along = Callable[[AsyncConnection], Awaitable[None]]
"""What somebody else does in a transaction of the catalog's."""
AlongWith = Callable[[AsyncConnection, Photo], Awaitable[None]]
"""The same, with the photo that the transaction is about."""

_ROUNDS = 5
"""How often becoming ready is tried when the twin that won goes away at the same moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A committed row whose objects may now be written under `name`."""

    id: int
    owner: str
    name: str


class _TwinIsThere(Exception):
    """The owner has a photo with the same bytes."""


class Catalog:
    """The rows. Whatever reads or changes a photo for somebody takes `owner`.

    Every call raises CatalogUnavailable when PostgreSQL doesn't answer within `deadline`.
    """

    def __init__(self, url: str, *, deadline: timedelta = timedelta(seconds=4)) -> None:
        self._database = Database(url, deadline=deadline)
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

    async def reserve(
        self,
        owner: str,
        caption: Caption,
        *,
        name: str,
        now: datetime,
        renditions: Sequence[Rendition] = (),
    ) -> Reservation:
        """Commit a pending row that names its keys, before anything is written there."""
        row = {"owner": owner, "status": str(Status.PENDING), "name": name, "reserved_at": now}
        row |= {"rendered": rendered(renditions)}
        ((id_,),) = await self._database.change(RESERVE, row | asdict(caption))
        return Reservation(id=id_, owner=owner, name=name)

    async def publish(  # noqa: PLR0913  a photo is made of these
        self,
        reservation: Reservation,
        facts: ImageFacts,
        *,
        size: int,
        sha256: str,
        now: datetime,
        thumbhash: bytes | None = None,
        within: AsyncConnection | None = None,
        along: AlongWith | None = None,
    ) -> Photo:
        """Make the row ready, in one statement, unless the owner has the same bytes already.

        The photo that comes back is the row's own, or the twin that was there first: compare the
        ids. `within` is a transaction of the caller's; `along` is done in the same one, if the row
        gets ready. Raises NotFound if the row isn't pending any more.
        """
        columns: dict[str, object] = {
            "status": str(Status.READY),
            "size": size,
            "sha256": sha256,
            "created_at": now,
            "detailed": detailed(facts.details),
            "thumbhash": thumbhash,
            **facts_columns(facts, now=now),
        }
        for _ in range(_ROUNDS):
            try:
                published = await self._filled_in(reservation, columns, within, along)
            except _TwinIsThere:
                published = await self.twin(reservation.owner, sha256, within=within)
                if published is None:
                    continue
            if published is None:
                break
            return published
        raise NotFound

    async def twin(
        self, owner: str, sha256: str, *, within: AsyncConnection | None = None
    ) -> Photo | None:
        """Find the photo with these bytes, if the owner has one."""
        parameters = {"owner": owner, "sha256": sha256}
        if within:
            return _first((await within.execute(TWIN.statement, parameters)).all())
        return _first(await self._database.rows(TWIN, parameters))

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
        doomed = await self._bury(*_theirs(owner, id_), now=now, along=along)
        if doomed is None:
            raise NotFound
        return doomed

    async def abandon(
        self, reservation: Reservation, *, now: datetime, along: Along | None = None
    ) -> Doomed | None:
        """Turn a row that is still pending into a tombstone; None if it isn't pending."""
        pending = (photos.c.id == reservation.id, photos.c.status == Status.PENDING)
        return await self._bury(*pending, now=now, along=along)

    async def _changed(self, statement: ReturningUpdate[*tuple[Any, ...]]) -> Photo:
        async def work(connection: AsyncConnection) -> Photo:
            row = (await connection.execute(statement)).one_or_none()
            if row is None:
                raise NotFound
            return photo(row)

        return await self._database.transaction(work)

    async def _bury(
        self, *which: ColumnElement[bool], now: datetime, along: Along | None
    ) -> Doomed | None:
        statement = (
            update(photos)
            .where(*which)
            .values(status=Status.DELETED, deleted_at=now, version=photos.c.version + 1)
            .returning(photos.c.id, photos.c.name, photos.c.renditions)
        )

        async def work(connection: AsyncConnection) -> Doomed | None:
            row = (await connection.execute(statement)).one_or_none()
            if row is None:
                return None
            if along:
                await along(connection)
            return doomed(row)

        return await self._database.transaction(work)

    async def _filled_in(
        self,
        reservation: Reservation,
        columns: dict[str, object],
        within: AsyncConnection | None,
        along: AlongWith | None,
    ) -> Photo | None:
        """Fill in the row; None if it isn't pending. Raises _TwinIsThere."""
        parameters = columns | {"reserved": reservation.id}

        async def work(connection: AsyncConnection) -> Photo | None:
            if within:
                found: Sequence[Any] = (await within.execute(PUBLISH.statement, parameters)).all()
            else:
                found = await fetched(connection, PUBLISH, parameters)
            filled_in = _first(found)
            if filled_in and along:
                await along(connection, filled_in)
            return filled_in

        try:
            if within:
                # A savepoint, so that losing against a twin doesn't spoil the caller's transaction.
                async with within.begin_nested():
                    return await work(within)
            if along:
                return await self._database.transaction(work)
            return _first(await self._database.change(PUBLISH, parameters))
        except (IntegrityError, pg.UniqueViolation) as error:
            if str(twins.name) not in str(error):
                raise
            raise _TwinIsThere from error


def _first(rows: Sequence[Sequence[Any]]) -> Photo | None:
    return photo(rows[0]) if rows else None


def _page(rows: list[tuple[Any, ...]], order: Order, limit: int) -> Page:
    states = tuple((id_, version) for id_, version, _ in rows[:limit])
    if len(rows) <= limit:
        return Page(states, None)
    id_, _, at = rows[limit - 1]
    return Page(states, Cursor(order=order, at=at, id=id_))


def _theirs(owner: str, id_: int) -> tuple[ColumnElement[bool], ...]:
    return (photos.c.owner == owner, photos.c.id == id_, photos.c.status == Status.READY)

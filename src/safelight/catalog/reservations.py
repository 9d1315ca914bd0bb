"""Reservations: rows that name their keys before anything is written there, and become photos."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg import errors as pg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database, fetched
from safelight.catalog.queries import PUBLISH, RESERVE, TWIN
from safelight.catalog.rows import detailed, facts_columns, photo, rendered
from safelight.catalog.tombstones import Along, Doomed, bury
from safelight.errors import NotFound
from safelight.photo import Caption, ImageFacts, Photo, Rendition, Status
from safelight.tables import photos, twins

AlongWith = Callable[[AsyncConnection, Photo], Awaitable[None]]
"""What somebody else does in a transaction that is about a photo."""

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


class Reservations:
    """The rows of photos to be. Calls raise CatalogUnavailable when PostgreSQL is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(
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
                published = await twin(self._database, reservation.owner, sha256, within=within)
                if published is None:
                    continue
            if published is None:
                break
            return published
        raise NotFound

    async def abandon(
        self, reservation: Reservation, *, now: datetime, along: Along | None = None
    ) -> Doomed | None:
        """Turn a row that is still pending into a tombstone; None if it isn't pending."""
        pending = (photos.c.id == reservation.id, photos.c.status == Status.PENDING)
        return await bury(self._database, *pending, now=now, along=along)

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


async def twin(
    database: Database, owner: str, sha256: str, *, within: AsyncConnection | None = None
) -> Photo | None:
    """Find the photo with these bytes, if the owner has one."""
    parameters = {"owner": owner, "sha256": sha256}
    if within:
        return _first((await within.execute(TWIN.statement, parameters)).all())
    return _first(await database.rows(TWIN, parameters))


def _first(rows: Sequence[Sequence[Any]]) -> Photo | None:
    return photo(rows[0]) if rows else None

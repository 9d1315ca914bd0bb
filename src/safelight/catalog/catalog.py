"""The catalog: the rows of all photos.

A row is *pending* from before its objects are written until the upload is acknowledged, *ready*
while it is a photo, and *deleted* (a tombstone) until none of its objects can be left.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import ColumnElement, delete, false
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.albums.albums import Albums
from safelight.catalog.changes.counter import ChangeCounter
from safelight.catalog.connections.pool import Work
from safelight.catalog.database import Database
from safelight.catalog.deletion.rekeying import RekeyedRows
from safelight.catalog.deletion.trash import TrashRows
from safelight.catalog.diagnosis import DatabaseFacts, read_facts
from safelight.catalog.downloads import DownloadRows
from safelight.catalog.edits.dates import PhotoDates
from safelight.catalog.edits.edits import PhotoEdits
from safelight.catalog.edits.turns import PhotoTurns
from safelight.catalog.host.alembic import has_host_alembic
from safelight.catalog.host.hooks import unwrapping_hook_errors
from safelight.catalog.host.transactions import HostTransactions
from safelight.catalog.installation.adoptions import Adoptions
from safelight.catalog.installation.bucket import BucketRecord
from safelight.catalog.installation.sessions import Sessions
from safelight.catalog.migrate import operator_errors, upgrade
from safelight.catalog.months.counts import SKIP_MONTHS_AT, MonthCounts
from safelight.catalog.months.drift import MonthDrift
from safelight.catalog.paging import Cursor, Month, Page
from safelight.catalog.queries import BY_IDS, BY_IDS_WITH_TRASH, NEXT, PAGES, possible_ids
from safelight.catalog.renditions.claims import RenderingClaims
from safelight.catalog.renditions.rows import RenditionRows
from safelight.catalog.reservations import Reservations
from safelight.catalog.rows import photo_from_row
from safelight.catalog.scan import RowScan
from safelight.catalog.search.search import PhotoSearch
from safelight.catalog.tables import codes, photos
from safelight.catalog.tombstones import (
    PhotoHook,
    Tombstone,
    Tombstones,
    TransactionHook,
    soft_delete_photos,
)
from safelight.catalog.uploads import Uploads
from safelight.errors import NotFound
from safelight.models import (
    Order,
    Photo,
    Status,
)

T = TypeVar("T")

_CHANGE_NOTHING = delete(codes).where(false())
"""A server that is read-only refuses it."""


class Catalog:
    """The rows of photos, uploads and sessions. Calls about photos take the `owner`.

    Every call raises CatalogUnavailable when PostgreSQL doesn't answer within `deadline`. Without
    `finds_duplicates`, an owner can have the same bytes any number of times.
    """

    def __init__(
        self,
        url: str,
        *,
        deadline: timedelta = timedelta(seconds=4),
        finds_duplicates: bool = True,
    ) -> None:
        self._database = Database(url, deadline=deadline)
        self.adoptions = Adoptions(self._database)
        self.albums = Albums(self._database)
        self.bucket_record = BucketRecord(self._database)
        self.changes = ChangeCounter(self._database)
        self.dates = PhotoDates(self._database)
        self.downloads = DownloadRows(self._database)
        self.edits = PhotoEdits(self._database)
        self.host = HostTransactions(self._database)
        self.renditions = RenditionRows(self._database)
        self.rendering_claims = RenderingClaims(self._database)
        self.month_counts = MonthCounts(self._database)
        self.month_drift = MonthDrift(self._database)
        self.reservations = Reservations(
            self._database, self.month_counts, self.changes, finds_duplicates=finds_duplicates
        )
        self.sessions = Sessions(self._database)
        self.tombstones = Tombstones(self._database)
        self.rekeyed = RekeyedRows(self._database)
        self.trash = TrashRows(self._database)
        self.turns = PhotoTurns(self._database)
        self.row_scan = RowScan(self._database)
        self.search = PhotoSearch(self._database)
        self.uploads = Uploads(self._database)

    @property
    def url(self) -> str:
        """The database's URL with the password, for SQLAlchemy's async engine."""
        return self._database.url

    @property
    def conninfo(self) -> str:
        """The same for psycopg alone."""
        return self._database.conninfo

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    async def upgrade(self) -> None:
        """Migrate the schema to the newest version; concurrent calls wait for the first.

        Raises SettingsError if the server doesn't answer, rejects the URL's user, has no such
        database, doesn't permit creating tables, is behind a pooler that shares sessions, or if a
        newer version made the schema.
        """
        with operator_errors():
            await self._database.require_sessions()
            await self._database.transaction(
                lambda connection: connection.run_sync(upgrade), deadline=timedelta(minutes=10)
            )

    async def facts(self) -> DatabaseFacts:
        """Return facts about the server and the schema. Raises SettingsError as `upgrade` does."""
        with operator_errors():
            await self._database.require_sessions()
            return await self._database.read(lambda connection: connection.run_sync(read_facts))

    async def has_host_alembic(self) -> bool:
        """Return whether a host application's Alembic works in the same schema."""
        return await self._database.read(has_host_alembic)

    async def ping(self) -> None:
        """Check that PostgreSQL takes writes. Raises CatalogUnavailable otherwise."""
        await self._database.read(lambda connection: connection.execute(_CHANGE_NOTHING))

    async def photo(self, owner: str, id_: int, *, in_trash_too: bool = False) -> Photo:
        """Return one of the owner's photos. Raises NotFound."""
        found = await self.photos(owner, [id_], in_trash_too=in_trash_too)
        if not found:
            raise NotFound
        return found[0]

    async def photos(
        self, owner: str, ids: Sequence[int], *, in_trash_too: bool = False
    ) -> list[Photo]:
        """Return the owner's photos among these ids, in any order."""
        query = BY_IDS_WITH_TRASH if in_trash_too else BY_IDS
        rows = await self._database.fetch_all(query, {"owner": owner, "ids": possible_ids(ids)})
        return [photo_from_row(row) for row in rows]

    async def next_photos(self, owner: str, *, after: int, limit: int) -> list[Photo]:
        """List the owner's photos by id, after the id `after`; also those in the trash."""
        parameters = {"owner": owner, "after": after, "count": limit}
        return [photo_from_row(row) for row in await self._database.fetch_all(NEXT, parameters)]

    async def page(
        self, owner: str, *, order: Order, after: Cursor | None, limit: int, skip: int = 0
    ) -> Page:
        """List ids and versions, newest first, without the first `skip`."""
        if skip >= SKIP_MONTHS_AT:
            after, skip = await self.month_counts.skip_months(owner, order, after, skip)
        parameters: dict[str, object] = {"owner": owner, "count": limit + 1, "skip": skip}
        if after:
            parameters |= {"at": after.at, "id": after.id}
        rows = await self._database.fetch_all(PAGES[order, after is not None], parameters)
        states = tuple((id_, version) for id_, version, _ in rows[:limit])
        if len(rows) <= limit:
            return Page(states, None)
        id_, _, at = rows[limit - 1]
        return Page(states, Cursor(order=order, at=at, id=id_))

    async def months(self, owner: str, *, order: Order) -> list[Month]:
        """Return the number of photos of each month that has any, newest first."""
        return await self.month_counts.read(owner, order)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a connection of the catalog, outside a transaction."""
        return await self._database.read(work)

    async def transaction(self, work: Work[T]) -> T:
        """Run `work` in a transaction of the catalog."""
        return await self._database.transaction(work)

    async def soft_delete(
        self,
        owner: str,
        id_: int,
        *,
        now: datetime,
        hooks: Sequence[PhotoHook] = (),
        in_transaction: TransactionHook | None = None,
        within: AsyncConnection | None = None,
    ) -> Tombstone:
        """Turn a photo into a tombstone. Raises NotFound, also if it is already deleted.

        The hooks run in the same transaction: that of the caller if it is `within` one.
        """

        async def work(connection: AsyncConnection) -> list[Tombstone]:
            return await soft_delete_photos(
                connection,
                *_is_photo(owner, id_),
                now=now,
                hooks=hooks,
                in_transaction=in_transaction,
            )

        with unwrapping_hook_errors():
            found = await (work(within) if within else self._database.transaction(work))
        if not found:
            raise NotFound
        return found[0]


def _is_photo(owner: str, id_: int) -> tuple[ColumnElement[bool], ...]:
    return (photos.c.owner == owner, photos.c.id == id_, photos.c.status == Status.READY)

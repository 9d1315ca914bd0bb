"""The rows of albums. A photo may be in any number of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import RowMapping, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.albums.order import move
from safelight.catalog.database import Database
from safelight.catalog.paging import Cursor, Page
from safelight.catalog.queries import possible_ids
from safelight.catalog.tables import album_photos, albums, photos
from safelight.errors import InvalidRequest, NotFound
from safelight.models import BulkResult, Status

MAX_ALBUMS: Final = 1000
"""The maximum number of an owner's albums."""
MAX_IN_ALBUM: Final = 10_000
"""The maximum number of photos in an album."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_LISTED: Final = "photos.owner = :owner AND photos.status = 'ready' AND photos.trashed_at IS NULL"
_MEMBERS: Final = (
    "FROM safelight_album_photos AS member"
    " JOIN safelight_photos AS photos ON photos.id = member.photo_id"
)
_ALBUMS_SQL: Final = """
SELECT album.id, album.title, album.description, album.version, album.created_at,
  (SELECT count(*) {members} WHERE member.album_id = album.id AND {listed}) AS photos,
  (SELECT photos.id {members} WHERE member.album_id = album.id AND {listed}
    ORDER BY (member.photo_id = album.cover_id) IS TRUE DESC, member.position, member.photo_id
    LIMIT 1) AS cover
FROM safelight_albums AS album WHERE album.owner = :owner {one} ORDER BY album.id DESC
"""
_ALBUMS: Final = text(_ALBUMS_SQL.format(members=_MEMBERS, listed=_LISTED, one=""))
_ALBUM: Final = text(
    _ALBUMS_SQL.format(members=_MEMBERS, listed=_LISTED, one="AND album.id = :album")
)
_PAGE_SQL: Final = """
SELECT member.photo_id, photos.version, member.position {members}
WHERE member.album_id = :album AND {listed} {after}
ORDER BY member.position, member.photo_id LIMIT :count OFFSET :skip
"""
_PAGES: Final = {
    after: text(
        _PAGE_SQL.format(
            members=_MEMBERS,
            listed=_LISTED,
            after="AND (member.position, member.photo_id) > (:position, :id)" if after else "",
        )
    )
    for after in (False, True)
}
_REORDER: Final = text("""
UPDATE safelight_album_photos AS member SET position = ordered.position
FROM unnest(CAST(:ids AS bigint[])) WITH ORDINALITY AS ordered (photo_id, position)
WHERE member.album_id = :album AND member.photo_id = ordered.photo_id
  AND member.position <> ordered.position
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """An album. `photos` is their number, without those in the trash, and `cover` the id of one.

    The cover is the one that the owner has chosen, or else the first; None if there is no photo.
    """

    id: int
    title: str
    description: str
    photos: int
    cover: int | None
    created_at: datetime


class Albums:
    """An owner's albums. Calls raise CatalogUnavailable when PostgreSQL is down, and NotFound."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, owner: str) -> "list[Album]":
        """List the owner's albums, the newest first."""

        async def work(connection: AsyncConnection) -> "list[Album]":
            rows = await connection.execute(_ALBUMS, {"owner": owner})
            return [_album(row) for row in rows.mappings()]

        return await self._database.read(work)

    async def get(self, owner: str, id_: int) -> Album:
        """Return an album."""
        return await self._database.read(lambda connection: _read(connection, owner, id_))

    async def create(
        self, owner: str, *, title: str, description: str, ids: Sequence[int], now: datetime
    ) -> tuple[Album, BulkResult]:
        """Create an album of those of the ids that are photos of the owner."""

        async def work(connection: AsyncConnection) -> tuple[Album, BulkResult]:
            # One at a time, so that no two exceed the limit together.
            lock = select(func.pg_advisory_xact_lock(func.hashtextextended(owner, 0x5AFE)))
            await connection.execute(lock)
            count = select(func.count()).select_from(albums).where(albums.c.owner == owner)
            if (await connection.scalar(count) or 0) >= MAX_ALBUMS:
                raise InvalidRequest(f"You have {MAX_ALBUMS:,} albums, which is the limit.")
            values = {"owner": owner, "title": title, "description": description}
            made = insert(albums).values(**values, created_at=now).returning(albums.c.id)
            id_ = (await connection.execute(made)).scalar_one()
            result = await _add(connection, owner, id_, ids)
            return await _read(connection, owner, id_), result

        return await self._database.transaction(work)

    async def edit(
        self,
        owner: str,
        id_: int,
        *,
        title: str | None,
        description: str | None,
        cover: int | None,
    ) -> Album:
        """Change an album; None keeps what there is. Raises InvalidRequest for a foreign cover."""
        changes = {"title": title, "description": description, "cover_id": cover}
        values = {column: value for column, value in changes.items() if value is not None}

        async def work(connection: AsyncConnection) -> Album:
            await _lock(connection, owner, id_)
            if cover is not None and cover not in await _order(connection, id_):
                raise InvalidRequest(f"Photo {cover} is not in this album.")
            changed = update(albums).where(albums.c.id == id_)
            await connection.execute(changed.values(version=albums.c.version + 1, **values))
            return await _read(connection, owner, id_)

        return await self._database.transaction(work)

    async def delete(self, owner: str, id_: int) -> None:
        """Delete an album. Its photos stay."""

        async def work(connection: AsyncConnection) -> None:
            await _lock(connection, owner, id_)
            await connection.execute(delete(albums).where(albums.c.id == id_))

        await self._database.transaction(work)

    async def add(self, owner: str, id_: int, ids: Sequence[int]) -> BulkResult:
        """Add photos at the end of an album; those that it has stay in their places."""

        async def work(connection: AsyncConnection) -> BulkResult:
            await _lock(connection, owner, id_)
            return await _add(connection, owner, id_, ids)

        return await self._database.transaction(work)

    async def remove(self, owner: str, id_: int, ids: Sequence[int]) -> BulkResult:
        """Remove photos from an album. They stay the owner's photos."""

        async def work(connection: AsyncConnection) -> BulkResult:
            await _lock(connection, owner, id_)
            removed = (
                delete(album_photos)
                .where(
                    album_photos.c.album_id == id_, album_photos.c.photo_id.in_(possible_ids(ids))
                )
                .returning(album_photos.c.photo_id)
            )
            return _result(ids, set((await connection.execute(removed)).scalars()))

        return await self._database.transaction(work)

    async def move(
        self, owner: str, id_: int, ids: Sequence[int], *, before: int | None
    ) -> BulkResult:
        """Move photos together before another one, or to the end, in the order of the ids."""

        async def work(connection: AsyncConnection) -> BulkResult:
            await _lock(connection, owner, id_)
            order = await _order(connection, id_)
            if before is not None and before not in order:
                raise InvalidRequest(f"Photo {before} is not in this album.")
            moved = move(order, ids, before)
            await connection.execute(_REORDER, {"album": id_, "ids": moved})
            return _result(ids, set(order))

        return await self._database.transaction(work)

    async def page(
        self, owner: str, id_: int, *, after: Cursor | None, limit: int, skip: int = 0
    ) -> Page:
        """List ids and versions of an album's photos, in its order."""
        parameters: dict[str, Any] = {"owner": owner, "album": id_, "count": limit + 1}
        parameters["skip"] = skip
        if after:
            position = (after.at - _EPOCH) // _MICROSECOND
            parameters |= {"position": position, "id": after.id}

        async def work(connection: AsyncConnection) -> Sequence[Any]:
            await _require(connection, owner, id_)
            return (await connection.execute(_PAGES[after is not None], parameters)).all()

        rows = await self._database.read(work)
        states = tuple((photo, version) for photo, version, _ in rows[:limit])
        if len(rows) <= limit:
            return Page(states, None)
        photo, _, position = rows[limit - 1]
        return Page(states, Cursor(order="album", at=_EPOCH + position * _MICROSECOND, id=photo))


def _album(row: RowMapping) -> Album:
    return Album(**{name: row[name] for name in Album.__dataclass_fields__})


async def _read(connection: AsyncConnection, owner: str, id_: int) -> Album:
    row = (await connection.execute(_ALBUM, {"owner": owner, "album": id_})).mappings().first()
    if row is None:
        raise NotFound("There is no such album.")
    return _album(row)


async def _require(connection: AsyncConnection, owner: str, id_: int) -> None:
    found = select(albums.c.id).where(albums.c.owner == owner, albums.c.id == id_)
    if await connection.scalar(found) is None:
        raise NotFound("There is no such album.")


async def _lock(connection: AsyncConnection, owner: str, id_: int) -> None:
    """Lock an album, so that changes of it come one after the other."""
    found = select(albums.c.id).where(albums.c.owner == owner, albums.c.id == id_)
    if await connection.scalar(found.with_for_update()) is None:
        raise NotFound("There is no such album.")


async def _order(connection: AsyncConnection, id_: int) -> list[int]:
    """Return the ids of an album's photos in their order, with those in the trash."""
    rows = await connection.execute(
        select(album_photos.c.photo_id)
        .where(album_photos.c.album_id == id_)
        .order_by(album_photos.c.position, album_photos.c.photo_id)
    )
    return list(rows.scalars())


async def _add(connection: AsyncConnection, owner: str, id_: int, ids: Sequence[int]) -> BulkResult:
    # Locked, so that none is deleted before it is in the album: the trigger would not see it.
    owned = (
        select(photos.c.id)
        .where(photos.c.owner == owner, photos.c.id.in_(possible_ids(ids)))
        .where(photos.c.status == Status.READY, photos.c.trashed_at.is_(None))
        .order_by(photos.c.id)
        .with_for_update(read=True)
    )
    found = set((await connection.execute(owned)).scalars())
    order = await _order(connection, id_)
    present = set(order)
    new = [photo for photo in dict.fromkeys(ids) if photo in found and photo not in present]
    if len(order) + len(new) > MAX_IN_ALBUM:
        raise InvalidRequest(
            f"An album can have {MAX_IN_ALBUM:,} photos; this one would have more."
        )
    if new:
        last = select(func.max(album_photos.c.position)).where(album_photos.c.album_id == id_)
        position = await connection.scalar(last) or 0
        rows = [
            {"album_id": id_, "photo_id": photo, "position": position + n}
            for n, photo in enumerate(new, 1)
        ]
        await connection.execute(insert(album_photos), rows)
    return _result(ids, found)


def _result(ids: Sequence[int], found: set[int]) -> BulkResult:
    unique = dict.fromkeys(ids)
    return BulkResult(
        done=tuple(id_ for id_ in unique if id_ in found),
        missing=tuple(id_ for id_ in unique if id_ not in found),
    )

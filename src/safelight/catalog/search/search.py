"""Find photos by words and dates, and fill in the words of photos of earlier versions.

A search has three plans, and says which: the planner can't know how many photos have a word.

1. Take up to `_FEW` matches from the index of words. If there are no more, sort them.
2. If there are more, read the next `_WINDOW` photos in their order, and keep those that match.
3. If those don't fill the page, the matches are few or far: take all of them from the index.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.paging import Cursor, Month, Page
from safelight.catalog.search.parsing import SearchTerm
from safelight.models import Order

_FEW: Final = 2000
_WINDOW: Final = 20_000
_FILL_BATCH: Final = 1000
_FILL_BATCHES: Final = 100
"""Batches of one call: a job must leave time for others."""

_SORT_COLUMNS: Final = {Order.ADDED: "created_at", Order.TAKEN: "local_at"}
_MATCHES: Final = (
    "owner = :owner AND words @@ (SELECT safelight_search_query(:owner, :texts, :dates))"
)
_LISTED: Final = "owner = :owner AND status = 'ready' AND trashed_at IS NULL"
_BY_INDEX: Final = text(
    "SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)"
)
"""For the rest of the transaction. Otherwise a common word would make PostgreSQL read the table."""


_FEW_SQL: Final = """
WITH hits AS MATERIALIZED (
  SELECT photo_id, {at} AS at FROM safelight_search WHERE {matches} LIMIT :few + 1
), page AS MATERIALIZED (
  SELECT photo_id, at FROM hits WHERE true {after_hit}
  ORDER BY at DESC, photo_id DESC LIMIT :count OFFSET :skip
)
SELECT counted.hits, page.photo_id, photos.version, page.at
FROM (SELECT count(*) AS hits FROM hits) AS counted
LEFT JOIN page ON counted.hits <= :few
LEFT JOIN LATERAL (
  SELECT version FROM safelight_photos WHERE id = page.photo_id AND {listed}
) AS photos ON true
ORDER BY page.at DESC, page.photo_id DESC
"""
_NEAR_SQL: Final = """
SELECT near.id, near.version, near.at
FROM (
  SELECT id, version, {at} AS at FROM safelight_photos
  WHERE {listed} {after_photo} ORDER BY {at} DESC, id DESC LIMIT :window
) AS near
CROSS JOIN LATERAL (
  SELECT FROM safelight_search WHERE photo_id = near.id AND {matches} OFFSET 0
) AS hit
ORDER BY near.at DESC, near.id DESC LIMIT :count OFFSET :skip
"""
_ALL_SQL: Final = """
SELECT page.photo_id, photos.version, page.at
FROM (
  SELECT photo_id, {at} AS at FROM safelight_search
  WHERE {matches} {after_row} ORDER BY {at} DESC, photo_id DESC LIMIT :count OFFSET :skip
) AS page
LEFT JOIN LATERAL (
  SELECT version FROM safelight_photos WHERE id = page.photo_id AND {listed}
) AS photos ON true
ORDER BY page.at DESC, page.photo_id DESC
"""
_MONTHS_SQL: Final = """
SELECT date_trunc('month', {at}) AS month, count(*) FROM safelight_search
WHERE {matches} GROUP BY 1 ORDER BY 1 DESC
"""

_PageKey = tuple[Order, bool]


def _pages(statement: str) -> dict[_PageKey, TextClause]:
    """Return the statement of each order, without and with a cursor."""
    found = {}
    for order, at in _SORT_COLUMNS.items():
        for after in (False, True):
            cursors = {
                "after_hit": "AND (at, photo_id) < (:at, :id)",
                "after_row": f"AND ({at}, photo_id) < (:at, :id)",
                "after_photo": f"AND ({at}, id) < (:at, :id)",
            }
            parts = cursors if after else dict.fromkeys(cursors, "")
            sql = statement.format(at=at, matches=_MATCHES, listed=_LISTED, **parts)
            found[order, after] = text(sql)
    return found


_FEW_PAGES: Final = _pages(_FEW_SQL)
_NEAR_PAGES: Final = _pages(_NEAR_SQL)
_ALL_PAGES: Final = _pages(_ALL_SQL)
_MONTHS: Final = {
    order: text(_MONTHS_SQL.format(at=at, matches=_MATCHES))
    for order, at in {
        Order.ADDED: "created_at AT TIME ZONE 'UTC'",
        Order.TAKEN: "local_at",
    }.items()
}

# The photos are locked, so that a concurrent change of one comes either before or by its trigger.
_FILL: Final = text("""
WITH batch AS MATERIALIZED (
  SELECT id, status, trashed_at, owner, created_at, local_at, concat_ws(' ', title, description,
    filename, details ->> 'camera_make', details ->> 'camera_model') AS content
  FROM safelight_photos WHERE id < CAST(:before AS bigint)
  ORDER BY id DESC LIMIT :limit FOR SHARE
), filled AS (
  INSERT INTO safelight_search (photo_id, owner, created_at, local_at, words)
  SELECT id, owner, created_at, local_at, safelight_search_vector(
    safelight_search_prefix(owner), safelight_words(content), local_at)
  FROM batch WHERE status = 'ready' AND trashed_at IS NULL ON CONFLICT (photo_id) DO NOTHING
)
SELECT min(id) FROM batch
""")
_FILLED_FROM: Final = text(
    "SELECT value FROM safelight_installation WHERE name = 'search_filled_from' FOR UPDATE"
)
_KEEP_FILLED: Final = text(
    "UPDATE safelight_installation SET value = :value WHERE name = 'search_filled_from'"
)
_END_FILLED: Final = text("DELETE FROM safelight_installation WHERE name = 'search_filled_from'")


class PhotoSearch:
    """Searches an owner's photos. Calls raise CatalogUnavailable when PostgreSQL is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        owner: str,
        terms: Sequence[SearchTerm],
        *,
        order: Order,
        after: Cursor | None,
        limit: int,
        skip: int = 0,
    ) -> Page:
        """List ids and versions of the photos that meet all terms, newest first."""
        key = order, after is not None
        parameters = _parameters(owner, terms) | {"count": limit + 1, "skip": skip}
        if after:
            parameters |= {"at": after.at, "id": after.id}

        async def work(connection: AsyncConnection) -> Sequence[Any]:
            await connection.execute(_BY_INDEX)
            few = await connection.execute(_FEW_PAGES[key], parameters | {"few": _FEW})
            hits = few.all()
            if hits[0].hits <= _FEW:
                return [row[1:] for row in hits if row.photo_id is not None]
            windowed = parameters | {"window": _WINDOW}
            rows = (await connection.execute(_NEAR_PAGES[key], windowed)).all()
            if len(rows) > limit:
                return rows
            return (await connection.execute(_ALL_PAGES[key], parameters)).all()

        rows = await self._database.transaction(work)
        # Without a version, the photo has just been deleted.
        states = tuple((id_, version) for id_, version, _ in rows[:limit] if version is not None)
        if len(rows) <= limit:
            return Page(states, None)
        id_, _, at = rows[limit - 1]
        return Page(states, Cursor(order=order, at=at, id=id_))

    async def months(self, owner: str, terms: Sequence[SearchTerm], *, order: Order) -> list[Month]:
        """Return the number of found photos of each month that has any, newest first."""
        parameters = _parameters(owner, terms)

        async def work(connection: AsyncConnection) -> Sequence[Any]:
            await connection.execute(_BY_INDEX)
            return (await connection.execute(_MONTHS[order], parameters)).all()

        rows = await self._database.transaction(work)
        return [Month.from_row(order, begins, photos) for begins, photos in rows]

    async def fill(self) -> None:
        """Fill in some of the photos that have been there since before there was a search."""
        for _ in range(_FILL_BATCHES):
            if await self._database.transaction(_fill_batch):
                break


async def _fill_batch(connection: AsyncConnection) -> bool:
    """Fill in a batch of photos, the newest first. Return whether none are left."""
    before = await connection.scalar(_FILLED_FROM)
    if before is None:
        return True
    batch = {"before": before, "limit": _FILL_BATCH}
    first = await connection.scalar(_FILL, batch)
    if first is None:
        await connection.execute(_END_FILLED)
    else:
        await connection.execute(_KEEP_FILLED, {"value": str(first)})
    return first is None


def _parameters(owner: str, terms: Sequence[SearchTerm]) -> dict[str, Any]:
    return {
        "owner": owner,
        "texts": [term.text for term in terms],
        "dates": [term.date for term in terms],
    }

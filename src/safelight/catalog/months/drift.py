"""Compare the counts of months with the rows of photos, and repair them.

Both are read in one statement, so in one snapshot, and the repair is a change like those of the
triggers. So uploads and deletions may go on meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.months.counts import LOCK
from safelight.models import Order

_DEADLINE: Final = timedelta(minutes=5)
"""For one owner: about a second per million photos."""

_NEXT_OWNER: Final = """
SELECT min(owner) FROM (
  SELECT min(owner) AS owner FROM safelight_photos WHERE status = 'ready' AND trashed_at IS NULL
    AND {condition}
  UNION ALL SELECT min(owner) FROM safelight_month_counts WHERE {condition}
  UNION ALL SELECT min(owner) FROM safelight_month_changes WHERE {condition}
) AS owners
"""
_WAIT_FOR_LOCK: Final = text("SELECT pg_advisory_xact_lock(:lock)")
_FIRST: Final = text(_NEXT_OWNER.format(condition="true"))
_NEXT: Final = text(_NEXT_OWNER.format(condition="owner > :after"))
_DIFFERENCES: Final = """
WITH existing AS (
  SELECT 'added' AS sort, date_trunc('month', created_at AT TIME ZONE 'UTC') AS month,
    count(*) AS photos
  FROM safelight_photos WHERE owner = :owner AND status = 'ready' AND trashed_at IS NULL
  GROUP BY month
  UNION ALL
  SELECT 'taken', date_trunc('month', local_at) AS month, count(*)
  FROM safelight_photos WHERE owner = :owner AND status = 'ready' AND trashed_at IS NULL
  GROUP BY month
), counted AS (
  SELECT sort, month, sum(photos) AS photos FROM (
    SELECT sort, month, photos FROM safelight_month_counts WHERE owner = :owner
    UNION ALL SELECT sort, month, change FROM safelight_month_changes WHERE owner = :owner
  ) AS summands GROUP BY sort, month
), differences AS (
  SELECT sort, month, coalesce(existing.photos, 0) AS photos, coalesce(counted.photos, 0) AS counted
  FROM existing FULL JOIN counted USING (sort, month)
  WHERE coalesce(existing.photos, 0) <> coalesce(counted.photos, 0)
)
"""
_REPAIR: Final = """
, repaired AS (
  INSERT INTO safelight_month_changes (owner, sort, month, change)
  SELECT CAST(:owner AS text), sort, month, photos - counted FROM differences
)
"""
_SELECT: Final = "SELECT sort, month, photos, counted FROM differences ORDER BY sort, month"
_FIND: Final = text(_DIFFERENCES + _SELECT)
_FIND_AND_REPAIR: Final = text(_DIFFERENCES + _REPAIR + _SELECT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Miscount:
    """A month whose count differs from the number of photos."""

    owner: str
    order: Order
    month: datetime
    photos: int
    counted: int


class MonthDrift:
    """Finds and repairs wrong counts. Calls raise CatalogUnavailable when PostgreSQL is down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def next_owner(self, after: str | None) -> str | None:
        """Return the owner of photos or counts that sorts after another one; None at the end."""
        query, parameters = (_FIRST, {}) if after is None else (_NEXT, {"after": after})

        async def work(connection: AsyncConnection) -> str | None:
            owner: str | None = await connection.scalar(query, parameters)
            return owner

        return await self._database.read(work)

    async def find(self, owner: str) -> list[Miscount]:
        """List the owner's wrong counts."""
        return await self._compare(owner, _FIND)

    async def repair(self, owner: str) -> list[Miscount]:
        """Correct the owner's wrong counts, and list them as they were."""
        return await self._compare(owner, _FIND_AND_REPAIR)

    async def _compare(self, owner: str, query: TextClause) -> list[Miscount]:
        async def work(connection: AsyncConnection) -> list[Miscount]:
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
            if query is _FIND_AND_REPAIR:  # two at once would correct the same count twice
                await connection.execute(_WAIT_FOR_LOCK, {"lock": LOCK})
            rows = await connection.execute(query, {"owner": owner})
            return [
                Miscount(
                    owner=owner,
                    order=Order(row.sort),
                    month=row.month,
                    photos=row.photos,
                    counted=int(row.counted),
                )
                for row in rows
            ]

        return await self._database.transaction(work, deadline=_DEADLINE)

"""Read the number of photos of each month, and fold its changes.

The number is the sum of a row of `month_counts` and of the rows of `month_changes` for it, which
triggers insert in the transaction that changes a photo. A read is one statement, so it is right for
its snapshot, however many changes are folded meanwhile.
"""

import contextlib
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.paging import Cursor, Month
from safelight.catalog.queries import MONTHS
from safelight.errors import SafelightError
from safelight.models import Order

LOCK: Final = 0x5AFE_C0047
"""The advisory lock of the transaction that folds. The migration's trigger of TRUNCATE has it."""

BATCH: Final = 10_000
"""Changes in a batch: some tens of milliseconds."""
SKIP_MONTHS_AT: Final = 5000
"""Photos to skip from which it is cheaper to read the months first."""
_FOLD_AT: Final = 1000
"""A read that finds more changes folds a batch."""
FOLD_EVERY: Final = 512
"""Photos after which an upload folds a batch."""

_TRY_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(:lock)")

# SKIP LOCKED: no statement of ours locks a change, but an operator's may. The changes are deleted
# in the statement that adds them to the counts, so each is in one place in every snapshot.
_FOLD: Final = text("""
WITH batch AS MATERIALIZED (
  SELECT id FROM safelight_month_changes ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
), folded AS (
  DELETE FROM safelight_month_changes AS changes USING batch WHERE changes.id = batch.id
  RETURNING changes.owner, changes.sort, changes.month, changes.change
), counted AS (
  INSERT INTO safelight_month_counts AS counts (owner, sort, month, photos)
  SELECT owner, sort, month, sum(change) FROM folded GROUP BY owner, sort, month
  ON CONFLICT (owner, sort, month) DO UPDATE SET photos = counts.photos + excluded.photos
  RETURNING owner, sort, month, photos
)
SELECT (SELECT count(*) FROM folded) AS folded,
  array_agg(owner) FILTER (WHERE photos = 0) AS owners,
  array_agg(sort) FILTER (WHERE photos = 0) AS sorts,
  array_agg(month) FILTER (WHERE photos = 0) AS months
FROM counted
""")
_DELETE_EMPTY: Final = text("""
DELETE FROM safelight_month_counts AS counts
USING unnest(CAST(:owners AS text[]), CAST(:sorts AS text[]), CAST(:months AS timestamp[]))
  AS empty (owner, sort, month)
WHERE counts.owner = empty.owner AND counts.sort = empty.sort AND counts.month = empty.month
  AND counts.photos = 0
""")


class MonthCounts:
    """Reads and folds the counts. Calls raise CatalogUnavailable when PostgreSQL is down.

    A job folds every minute. Reads and uploads do too, once there are many changes, so that a read
    stays cheap where no worker runs.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, owner: str, order: Order) -> list[Month]:
        """Return the number of photos of each month that has any, newest first."""
        rows = await self._database.fetch_all(MONTHS[order], {"owner": owner})
        if sum(changes for _, _, changes in rows) > _FOLD_AT:
            await self.try_to_fold()
        return [Month.from_row(order, begins, photos) for begins, photos, _ in rows if photos > 0]

    async def skip_months(
        self, owner: str, order: Order, after: Cursor | None, skip: int
    ) -> tuple[Cursor | None, int]:
        """Return a later cursor with fewer photos to skip, for the same page.

        Photos are skipped one by one, but whole months at once. That needs the start of the list
        or the cursor of a month; any other is returned as it is.
        """
        months = await self.read(owner, order)
        if after is not None:
            cursors = [month.after for month in months]
            if after not in cursors:
                return after, skip
            del months[: cursors.index(after)]
        for month in months:
            after = month.after
            if skip < month.count or month is months[-1]:
                break
            skip -= month.count
        return after, skip

    async def fold_all(self) -> None:
        """Fold all committed changes."""
        while await self._database.transaction(fold) == BATCH:
            pass

    async def try_to_fold(self) -> None:
        """Fold a batch. It neither waits for other transactions nor raises."""
        with contextlib.suppress(SafelightError):  # a later call does it
            await self._database.transaction(fold)


async def fold(connection: AsyncConnection) -> int:
    """Fold a batch of changes in the connection's transaction, and return their number.

    While another transaction folds, nothing happens.
    """
    if not await connection.scalar(_TRY_LOCK, {"lock": LOCK}):
        return 0
    folded, owners, sorts, months = (await connection.execute(_FOLD, {"limit": BATCH})).one()
    if owners:
        empty = {"owners": owners, "sorts": sorts, "months": months}
        await connection.execute(_DELETE_EMPTY, empty)
    return int(folded)

"""Read an owner's number of changes, and fold the rows that it is counted from.

Triggers insert a row in the transaction that changes photos or albums. The number is that of all
committed rows, so it grows with each commit, in whichever order transactions end: a client that
reads the same number twice has missed nothing between. An id or a sequence could not promise that,
since a lower one may be committed later.
"""

import contextlib
from typing import Final

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.database import Database
from safelight.catalog.queries import compile_query
from safelight.catalog.tables import change_counts, changes
from safelight.errors import SafelightError

BATCH: Final = 10_000
"""Rows in a batch: some tens of milliseconds."""
_FOLD_AT: Final = 1000
"""A read that finds more rows folds a batch."""
_LOCK: Final = 0x5AFE_C4A6E
"""The advisory lock of the transaction that folds."""

# One statement, so one snapshot: each change is in exactly one of the tables.
_READ: Final = compile_query(
    select(
        select(change_counts.c.changes)
        .where(change_counts.c.owner == bindparam("owner"))
        .scalar_subquery(),
        func.count(),
    )
    .select_from(changes)
    .where(changes.c.owner == bindparam("owner"))
)
_TRY_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(:lock)")
_FOLD: Final = text("""
WITH batch AS MATERIALIZED (
  SELECT owner, id FROM safelight_changes ORDER BY owner, id LIMIT :limit FOR UPDATE SKIP LOCKED
), folded AS (
  DELETE FROM safelight_changes AS changes USING batch
  WHERE changes.owner = batch.owner AND changes.id = batch.id RETURNING changes.owner
), counted AS (
  INSERT INTO safelight_change_counts AS counts (owner, changes)
  SELECT owner, count(*) FROM folded GROUP BY owner
  ON CONFLICT (owner) DO UPDATE SET changes = counts.changes + excluded.changes
)
SELECT count(*) FROM folded
""")


class ChangeCounter:
    """Reads and folds the numbers. Calls raise CatalogUnavailable when PostgreSQL is down.

    The sweep folds every minute. Reads and uploads do too, as those of `MonthCounts`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, owner: str) -> int:
        """Return how many changes of the owner's photos and albums are committed."""
        ((folded, rows),) = await self._database.fetch_all(_READ, {"owner": owner})
        if rows > _FOLD_AT:
            await self.try_to_fold()
        return int(folded or 0) + int(rows)

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
    if not await connection.scalar(_TRY_LOCK, {"lock": _LOCK}):
        return 0
    return int(await connection.scalar(_FOLD, {"limit": BATCH}) or 0)

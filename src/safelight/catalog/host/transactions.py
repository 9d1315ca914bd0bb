"""Check that a host application's transaction is one in the catalog's database."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from safelight.catalog.database import Database
from safelight.errors import UsageError

_IDENTITY: Final = text(
    "SELECT pg_postmaster_start_time(), oid, to_regclass('safelight_photos')::oid"
    " FROM pg_database WHERE datname = current_database()"
)
"""Two servers don't start in the same microsecond, whatever their addresses are."""
READ_COMMITTED: Final = frozenset({"READ COMMITTED", "READ UNCOMMITTED"})
"""The isolation levels whose statements see what others have committed meanwhile."""


class HostTransactions:
    """Checks connections of a host application."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def join(self, within: AsyncConnection | AsyncSession) -> AsyncConnection:
        """Return the connection of a transaction or session that can change the catalog's rows.

        Raises UsageError for another database, another isolation level than READ COMMITTED, or
        something else than a connection.
        """
        if isinstance(within, AsyncSession):
            within = await within.connection()
        if not isinstance(within, AsyncConnection):
            raise UsageError(
                "within= takes an AsyncConnection or an AsyncSession of SQLAlchemy, not"
                f" {type(within).__name__}."
            )
        if await within.get_isolation_level() not in READ_COMMITTED:
            # A snapshot from before the reservation would not include it.
            raise UsageError("The transaction in within= must be READ COMMITTED.")
        theirs = (await within.execute(_IDENTITY)).one()
        ours = await self._database.read(_read_identity)
        if tuple(theirs) != ours:
            raise UsageError(
                "The transaction in within= is in another database or schema than Safelight's"
                " tables: use a connection to the database of SAFELIGHT_DATABASE_URL"
                " (library.database_url)."
            )
        return within


async def _read_identity(connection: AsyncConnection) -> tuple[object, ...]:
    return tuple((await connection.execute(_IDENTITY)).one())

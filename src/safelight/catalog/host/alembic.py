"""Notice a host application's own Alembic in the schema of Safelight's tables."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_FIND: Final = text(
    "SELECT 1 FROM pg_class AS ours JOIN pg_class AS theirs USING (relnamespace)"
    " WHERE ours.oid = to_regclass('safelight_photos')"
    " AND theirs.relname = 'alembic_version' AND theirs.relkind IN ('r', 'p')"
)


async def has_host_alembic(connection: AsyncConnection) -> bool:
    """Return whether the schema has the version table that Alembic makes by default."""
    return (await connection.execute(_FIND)).first() is not None

"""Find the photos that no row of a host application refers to."""

from datetime import datetime
from typing import Final

from psycopg import errors as pg
from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.rows import COLUMNS, photo_from_row
from safelight.catalog.tables import photos
from safelight.errors import UsageError
from safelight.models import Photo, Status

_FOREIGN_KEYS: Final = text(
    "SELECT conrelid::regclass::text AS referrer, quote_ident(theirs.attname) AS theirs,"
    " quote_ident(ours.attname) AS ours FROM pg_constraint"
    " JOIN pg_attribute theirs ON theirs.attrelid = conrelid AND theirs.attnum = conkey[1]"
    " JOIN pg_attribute ours ON ours.attrelid = confrelid AND ours.attnum = confkey[1]"
    " WHERE contype = 'f' AND confrelid = 'safelight_photos'::regclass AND conparentid = 0"
)
"""The columns with a foreign key to photos, of any table: one of Safelight's own that refers to
photos says that they are in use."""


async def list_unattached(
    connection: AsyncConnection, owner: str, *, created_before: datetime, limit: int
) -> list[Photo]:
    """List photos of the owner that no foreign key refers to, the oldest first.

    Takes a connection in a transaction. Raises UsageError if no table has a foreign key to photos,
    and if the role may not read all rows of one that has.
    """
    # An error instead of hidden rows, whose photos would count as unattached.
    await connection.execute(text("SET LOCAL row_security = off"))
    references = (await connection.execute(_FOREIGN_KEYS)).all()
    if not references:
        raise UsageError(
            "No table has a foreign key to Safelight's photos, so each photo would count as"
            " unattached: declare your column with ForeignKey(safelight.photos_table.c.id)."
        )
    query = (
        select(*COLUMNS)
        .where(
            photos.c.owner == bindparam("owner"),
            photos.c.status == Status.READY,
            photos.c.trashed_at.is_(None),
            photos.c.created_at < created_before,
            *(text(_is_unreferenced(*reference)) for reference in references),
        )
        .order_by(photos.c.created_at, photos.c.id)
        .limit(limit)
    )
    try:
        rows = await connection.execute(query, {"owner": owner})
    except ProgrammingError as error:
        if not isinstance(error.orig, pg.InsufficientPrivilege):
            raise
        raise UsageError(
            "Safelight's role can't read all rows of a table with a foreign key to its photos:"
            " grant it SELECT, and BYPASSRLS where the table has row-level security."
        ) from error
    return [photo_from_row(row) for row in rows]


def _is_unreferenced(referrer: str, theirs: str, ours: str) -> str:
    condition = (
        f"NOT EXISTS (SELECT FROM {referrer} AS referrer"
        f" WHERE referrer.{theirs} = safelight_photos.{ours})"
    )
    return condition.replace(":", r"\:")  # not a parameter

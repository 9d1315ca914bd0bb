"""Find and delete the photos that no row of a host application refers to."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, TextClause, and_, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog.host.transactions import READ_COMMITTED
from safelight.catalog.queries import possible_ids
from safelight.catalog.rows import COLUMNS, photo_from_row
from safelight.catalog.tables import photos
from safelight.catalog.tombstones import make_tombstones
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

_SHOW_HIDDEN_ROWS: Final = text("SET LOCAL row_security = off")
"""Makes hidden rows, whose photos would count as unattached, an error."""
_NO_REFERENCES: Final = (
    "No table has a foreign key to Safelight's photos, so each photo would count as unattached:"
    " declare your column with ForeignKey(safelight.photos_table.c.id)."
)
_INSUFFICIENT_PRIVILEGE: Final = "42501"


async def list_unattached(
    connection: AsyncConnection, owner: str, *, created_before: datetime, limit: int
) -> list[Photo]:
    """List photos of the owner that no foreign key refers to, the oldest first.

    Takes a connection in a transaction. Raises UsageError if no table has a foreign key to photos,
    and if the role may not read all rows of one that has.
    """
    await connection.execute(_SHOW_HIDDEN_ROWS)
    query = (
        select(*COLUMNS)
        .where(
            photos.c.owner == owner,
            photos.c.status == Status.READY,
            photos.c.trashed_at.is_(None),
            photos.c.created_at < created_before,
            *await connection.run_sync(_are_unreferenced),
        )
        .order_by(photos.c.created_at, photos.c.id)
        .limit(limit)
    )
    with _explaining_hidden_rows():
        return [photo_from_row(row) for row in await connection.execute(query)]


def find_for_row(connection: Connection, owner: str, id_: int) -> Photo | None:
    """Return the owner's photo if there is one, and keep it until the transaction ends.

    `delete_unreferenced` waits for that in other transactions.
    """
    ids = possible_ids([id_])
    query = select(*COLUMNS).where(*_are_owned(owner, ids), photos.c.trashed_at.is_(None))
    row = connection.execute(query.with_for_update(read=True, key_share=True)).first()
    return None if row is None else photo_from_row(row)


def delete_unreferenced(
    connection: Connection, owner: str, ids: Collection[int], *, now: datetime
) -> list[Photo]:
    """Turn those of the owner's photos to which no foreign key refers into tombstones.

    The transaction must be READ COMMITTED: a row that another one attaches meanwhile counts once
    the photos are locked. Raises UsageError as `list_unattached` does.
    """
    if connection.get_isolation_level() not in READ_COMMITTED:
        raise UsageError("A transaction that detaches photos must be READ COMMITTED.")
    locked = select(photos.c.id).where(*_are_owned(owner, ids)).order_by(photos.c.id)
    found = connection.scalars(locked.with_for_update()).all()
    if not found:
        return []
    before = connection.scalar(text("SELECT current_setting('row_security')"))
    connection.execute(_SHOW_HIDDEN_ROWS)
    are_free = and_(photos.c.id.in_(found), *_are_unreferenced(connection))
    statement = make_tombstones(are_free, now=now).returning(*COLUMNS)
    with _explaining_hidden_rows():
        deleted = [photo_from_row(row) for row in connection.execute(statement)]
    connection.execute(text("SELECT set_config('row_security', :value, true)"), {"value": before})
    return deleted


def _are_owned(owner: str, ids: Collection[int]) -> tuple[ColumnElement[bool], ...]:
    return (photos.c.owner == owner, photos.c.id.in_(ids), photos.c.status == Status.READY)


def _are_unreferenced(connection: Connection) -> list[TextClause]:
    references = connection.execute(_FOREIGN_KEYS).all()
    if not references:
        raise UsageError(_NO_REFERENCES)
    return [text(_is_unreferenced(*reference)) for reference in references]


@contextmanager
def _explaining_hidden_rows() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        # The host's driver may not be psycopg.
        codes = {getattr(error.orig, name, None) for name in ("sqlstate", "pgcode")}
        if _INSUFFICIENT_PRIVILEGE not in codes:
            raise
        raise UsageError(
            "Safelight's role can't read all rows of a table with a foreign key to its photos:"
            " grant it SELECT, and BYPASSRLS where the table has row-level security."
        ) from error


def _is_unreferenced(referrer: str, theirs: str, ours: str) -> str:
    condition = (
        f"NOT EXISTS (SELECT FROM {referrer} AS referrer"
        f" WHERE referrer.{theirs} = safelight_photos.{ours})"
    )
    return condition.replace(":", r"\:")  # not a parameter

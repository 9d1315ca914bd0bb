"""The most frequent statements, compiled to SQL once.

SQLAlchemy would compile each of them for every call, which takes longer than executing it.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Cast,
    Select,
    Text,
    any_,
    bindparam,
    cast,
    insert,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from safelight.catalog.rows import COLUMNS, FACTS
from safelight.catalog.tables import photos
from safelight.models import Order

_Columns = tuple[Any, ...]
_Statement = Select[*_Columns] | ReturningInsert[*_Columns] | ReturningUpdate[*_Columns]

_SORT_COLUMNS: Final = {Order.ADDED: photos.c.created_at, Order.TAKEN: photos.c.local_at}
_READY: Final = text("status = 'ready'")
_OWNED: Final = (photos.c.owner == bindparam("owner"), _READY)


@dataclass(frozen=True, slots=True)
class Query:
    """A statement, for SQLAlchemy with any driver, and as SQL for psycopg."""

    statement: _Statement
    sql: str


def compile_query(statement: _Statement, *values: str) -> Query:
    """Compile a statement; `values` are the columns that it sets."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has none for it
    return Query(statement, str(statement.compile(dialect=dialect, column_keys=values)))


def _json(name: str) -> Cast[Any]:
    """Return a parameter that already is JSON."""
    return cast(bindparam(name, type_=Text), JSONB)


def _page(order: Order, *, after: bool) -> Query:
    column = _SORT_COLUMNS[order]
    query = (
        select(photos.c.id, photos.c.version, column)
        .where(*_OWNED)
        .order_by(column.desc(), photos.c.id.desc())
        .limit(bindparam("count"))
        .offset(bindparam("skip"))
    )
    if after:
        query = query.where(text(f"({column.name}, id) < (:at, :id)"))
    return compile_query(query)


PAGES: Final = {
    (order, after): _page(order, after=after) for order in Order for after in (False, True)
}
"""Id, version and sort time of a page's photos, for each order, with and without a cursor.

Parameters: owner, count, skip, at, id.
"""


_LOCAL_TIMES: Final = {Order.ADDED: "created_at AT TIME ZONE 'UTC'", Order.TAKEN: "local_at"}


def _months(order: Order) -> Query:
    month = text(f"date_trunc('month', {_LOCAL_TIMES[order]}) AS month")
    counted = select(month, text("count(*)")).select_from(photos).where(*_OWNED)
    return compile_query(counted.group_by(text("month")).order_by(text("month DESC")))


MONTHS: Final = {order: _months(order) for order in Order}
"""The start of each month that has photos, without a time zone, and their number, newest first.

The months of ``order=taken`` are those of the camera's local time, and the others are in UTC.

Parameters: owner. It is read from the index of that order alone.
"""

BY_IDS: Final = compile_query(
    select(*COLUMNS).where(*_OWNED, photos.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
)
"""COLUMNS of an owner's photos. Parameters: owner, ids."""

NEXT: Final = compile_query(
    select(*COLUMNS)
    .where(*_OWNED, photos.c.id > bindparam("after", type_=BigInteger))
    .order_by(photos.c.id)
    .limit(bindparam("count"))
)
"""COLUMNS of an owner's photos by id. Parameters: owner, after (an id), count."""

FIND_DUPLICATE: Final = compile_query(
    select(*COLUMNS)
    .where(*_OWNED, photos.c.sha256 == bindparam("sha256"))
    .order_by(photos.c.separate)
    .limit(literal_column("1"))
)
"""COLUMNS of an owner's photo. Parameters: owner, sha256."""

RESERVE: Final = compile_query(
    insert(photos).values(renditions=_json("rendered")).returning(photos.c.id),
    *("owner", "status", "name", "reserved_at", "title", "description", "filename"),
)
"""Insert a row and return its id. Parameters: its columns, and rendered (renditions as JSON)."""

PUBLISH: Final = compile_query(
    update(photos)
    .where(photos.c.id == bindparam("reserved"), text("status = 'pending'"))
    .values(
        details=_json("detailed"),
        separate=photos.c.id * bindparam("is_separate", type_=BigInteger),
    )
    .returning(*COLUMNS),
    *("status", "size", "sha256", "created_at", "thumbhash", *FACTS),
)
"""Publish a pending row and return its COLUMNS.

Parameters: reserved (its id), detailed (details as JSON), is_separate (1 if it may have the same
bytes as another photo, otherwise 0), and the other columns to set. The renditions stay those of the
reservation.
"""

"""The queries that are asked most, written out once, as psycopg takes them.

SQLAlchemy would compose each anew for every call, which costs more than the asking.
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
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from safelight.catalog.rows import COLUMNS, FACTS
from safelight.photo import Order
from safelight.tables import photos

_Columns = tuple[Any, ...]
_Statement = Select[*_Columns] | ReturningInsert[*_Columns] | ReturningUpdate[*_Columns]

_PLACES: Final = {Order.ADDED: photos.c.created_at, Order.TAKEN: photos.c.sort_at}
_READY: Final = text("status = 'ready'")
_OWNED: Final = (photos.c.owner == bindparam("owner"), _READY)


@dataclass(frozen=True, slots=True)
class Query:
    """A query for SQLAlchemy, whatever driver it uses, and in SQL for psycopg."""

    statement: _Statement
    sql: str


def written(statement: _Statement, *values: str) -> Query:
    """Write it out; `values` are the columns that it sets."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has none for it
    return Query(statement, str(statement.compile(dialect=dialect, column_keys=values)))


def _json(name: str) -> Cast[Any]:
    """Take a parameter that is JSON already."""
    return cast(bindparam(name, type_=Text), JSONB)


def _page(order: Order, *, after: bool) -> Query:
    column = _PLACES[order]
    query = (
        select(photos.c.id, photos.c.version, column)
        .where(*_OWNED)
        .order_by(column.desc(), photos.c.id.desc())
        .limit(bindparam("count"))
        .offset(bindparam("skip"))
    )
    if after:
        query = query.where(text(f"({column.name}, id) < (:at, :id)"))
    return written(query)


PAGES: Final = {
    (order, after): _page(order, after=after) for order in Order for after in (False, True)
}
"""States and places of a page's photos, for each order, with and without a cursor.

Takes owner, count, skip, at, id.
"""


def _months(order: Order) -> Query:
    month = text(f"date_trunc('month', {_PLACES[order].name}, 'UTC') AS month")
    counted = select(month, text("count(*)")).select_from(photos).where(*_OWNED)
    return written(counted.group_by(text("month")).order_by(text("month DESC")))


MONTHS: Final = {order: _months(order) for order in Order}
"""The beginning of each month, in UTC, that has photos, and how many; the newest first.

Takes owner. It is read from the index of that order alone.
"""

BY_IDS: Final = written(
    select(*COLUMNS).where(*_OWNED, photos.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
)
"""COLUMNS of an owner's photos. Takes owner, ids."""

NEXT: Final = written(
    select(*COLUMNS)
    .where(*_OWNED, photos.c.id > bindparam("after", type_=BigInteger))
    .order_by(photos.c.id)
    .limit(bindparam("count"))
)
"""COLUMNS of an owner's photos in the order of their ids. Takes owner, after (an id), count."""

TWIN: Final = written(select(*COLUMNS).where(*_OWNED, photos.c.sha256 == bindparam("sha256")))
"""COLUMNS of an owner's photo. Takes owner, sha256."""

RESERVE: Final = written(
    insert(photos).values(renditions=_json("rendered")).returning(photos.c.id),
    *("owner", "status", "name", "reserved_at", "title", "description", "filename"),
)
"""Makes a row, and gives its id. Takes its columns, and rendered (renditions, as JSON)."""

PUBLISH: Final = written(
    update(photos)
    .where(photos.c.id == bindparam("reserved"), text("status = 'pending'"))
    .values(details=_json("detailed"))
    .returning(*COLUMNS),
    *("status", "size", "sha256", "created_at", "thumbhash", *FACTS),
)
"""Fills in a pending row, and gives its COLUMNS.

Takes reserved (its id), detailed (details, as JSON), and the other columns set. Its renditions are
those that it was reserved with.
"""

"""The most frequent statements, compiled to SQL once.

SQLAlchemy would compile each of them for every call, which takes longer than executing it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Cast,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    insert,
    literal_column,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB, distinct_on
from sqlalchemy.sql.dml import ReturningDelete, ReturningInsert, ReturningUpdate

from safelight.catalog.rows import COLUMNS, FACTS
from safelight.catalog.tables import month_changes, month_counts, photos
from safelight.models import Order

_Columns = tuple[Any, ...]
_Statement = (
    Select[*_Columns]
    | ReturningInsert[*_Columns]
    | ReturningUpdate[*_Columns]
    | ReturningDelete[*_Columns]
)

_SORT_COLUMNS: Final = {Order.ADDED: photos.c.created_at, Order.TAKEN: photos.c.local_at}
_READY: Final = text("status = 'ready'")
_OWNED: Final = (photos.c.owner == bindparam("owner"), _READY)
_LISTED: Final = (*_OWNED, text("trashed_at IS NULL"))
"""The photos of lists, counts and searches: those in the trash are left out."""


_MAX_ID: Final = 2**63 - 1


def possible_ids(ids: Iterable[int]) -> list[int]:
    """Return those of the ids that a row can have: PostgreSQL refuses a statement with others."""
    return [id_ for id_ in ids if 0 < id_ <= _MAX_ID]


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
        .where(*_LISTED)
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


def _months(order: Order) -> Query:
    def of_order(table: Table, columns: str) -> Select[*_Columns]:
        is_owners = table.c.owner == bindparam("owner")
        return select(text(columns)).select_from(table).where(is_owners, text(f"sort = '{order}'"))

    counted = union_all(
        of_order(month_counts, "month, photos, 0 AS changes"),
        of_order(month_changes, "month, change, 1"),
    ).subquery("counted")
    query = select(text("month, sum(photos) AS photos, sum(changes) AS changes"))
    months = query.select_from(counted).group_by(text("month")).order_by(text("month DESC"))
    return compile_query(months)


MONTHS: Final = {order: _months(order) for order in Order}
"""The start of each month, without a time zone, its number of photos, which may be 0, and how many
changes of that number are not folded yet; newest first.

The months of ``order=taken`` are those of the camera's local time, and the others are in UTC.

Parameters: owner. It costs the same with any number of photos.
"""

_IS_ONE_OF: Final = photos.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))
BY_IDS: Final = compile_query(select(*COLUMNS).where(*_LISTED, _IS_ONE_OF))
"""COLUMNS of an owner's photos. Parameters: owner, ids."""

BY_IDS_WITH_TRASH: Final = compile_query(select(*COLUMNS).where(*_OWNED, _IS_ONE_OF))
"""The same, also of those in the trash."""

NEXT: Final = compile_query(
    select(*COLUMNS)
    .where(*_OWNED, photos.c.id > bindparam("after", type_=BigInteger))
    .order_by(photos.c.id)
    .limit(bindparam("count"))
)
"""COLUMNS of an owner's photos by id, also of those in the trash.

Parameters: owner, after (an id), count.
"""

FIND_DUPLICATE: Final = compile_query(
    select(*COLUMNS)
    .where(*_OWNED, photos.c.sha256 == bindparam("sha256"))
    .order_by(photos.c.separate)
    .limit(literal_column("1"))
)
"""COLUMNS of an owner's photo, which may be in the trash. Parameters: owner, sha256."""

FIND_DUPLICATES: Final = compile_query(
    select(*COLUMNS)
    .ext(distinct_on(photos.c.sha256))
    .where(*_LISTED, photos.c.sha256 == any_(bindparam("sha256", type_=ARRAY(Text))))
    .order_by(photos.c.sha256, photos.c.separate)
)
"""COLUMNS of an owner's photos, one for each SHA-256, without those in the trash.

Parameters: owner, sha256 (a list).
"""

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

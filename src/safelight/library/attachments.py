"""Columns of a host application's rows that refer to photos.

A photo is deleted in the transaction that deletes its row, or that replaces it in the row. The
column knows the owner, so that no row takes or deletes another owner's photo.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, Table, event, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession, async_object_session
from sqlalchemy.orm import MappedColumn, Mapper, Session, mapped_column, object_session
from sqlalchemy.util import await_only

from safelight.catalog.host.hooks import unwrapping_hook_errors
from safelight.catalog.host.references import delete_unreferenced, find_for_row
from safelight.catalog.tables import photos
from safelight.errors import NotFound, UsageError
from safelight.jobs import enqueue_blocking
from safelight.library.ingest import check_owner
from safelight.library.lifecycle import LibraryLifecycle
from safelight.library.tasks import PURGE, PURGE_DELAY
from safelight.models import Photo

_KEY: Final = "safelight"
"""Of what belongs to this module in the `info` of columns and sessions."""

OwnerOfRow = str | Callable[[Any], str]
"""The name of an attribute, or a function of the row."""


@dataclass(frozen=True, slots=True)
class _Attachment:
    """What a column's `info` says about its photos."""

    library: LibraryLifecycle
    owner: OwnerOfRow
    check: Callable[[Photo], object] | None

    def owner_of(self, row: object) -> Any:
        return getattr(row, self.owner) if isinstance(self.owner, str) else self.owner(row)


@dataclass(frozen=True, slots=True)
class _Detached:
    """A photo that a row no longer refers to, once the flush has ended."""

    library: LibraryLifecycle
    owner: str
    id: int
    connection: Connection
    mapper: Mapper[Any]
    session: AsyncSession | None


def make_photo_column(
    library: LibraryLifecycle,
    owner: OwnerOfRow,
    *,
    check: Callable[[Photo], object] | None,
    ondelete: str,
    **options: Any,
) -> MappedColumn[Any]:
    """Make a column; see `Library.photo_column`."""
    return mapped_column(
        BigInteger,
        ForeignKey(photos.c.id, ondelete=ondelete),
        info={_KEY: _Attachment(library, owner, check)},
        **{"index": True, **options},
    )


@event.listens_for(Mapper, "mapper_configured")
def _listen(mapper: Mapper[Any], _class: type) -> None:
    columns: list[tuple[str, Column[Any], _Attachment]] = [
        (attribute.key, column, column.info[_KEY])
        for attribute in mapper.column_attrs
        for column in attribute.columns
        if isinstance(column, Column) and _KEY in column.info
    ]
    if columns:
        event.listen(mapper, "before_insert", partial(_before_insert, columns))
        event.listen(mapper, "before_update", partial(_before_update, columns))
        event.listen(mapper, "before_delete", partial(_before_delete, columns))


_Columns = Sequence[tuple[str, Column[Any], _Attachment]]


def _before_insert(columns: _Columns, _: Mapper[Any], connection: Connection, row: object) -> None:
    for key, _column, attachment in columns:
        _check(connection, attachment, row, inspect(row).dict.get(key))


def _before_update(
    columns: _Columns, _mapper: Mapper[Any], connection: Connection, row: object
) -> None:
    for key, column, attachment in columns:
        history = inspect(row).attrs[key].history
        if history.added:
            (new,) = history.added
            _detach(connection, attachment, row, column, new)
            _check(connection, attachment, row, new)


def _before_delete(
    columns: _Columns, _mapper: Mapper[Any], connection: Connection, row: object
) -> None:
    for _, column, attachment in columns:
        _detach(connection, attachment, row, column, None)


def _check(connection: Connection, attachment: _Attachment, row: object, id_: object) -> None:
    """Raise NotFound if the row's owner has no such photo, and what the column's check raises."""
    if id_ is None:
        return
    if not isinstance(id_, int):
        raise UsageError(f"A photo column takes the id of a photo, not {type(id_).__name__}.")
    owner = attachment.owner_of(row)
    check_owner(owner)
    photo = find_for_row(connection, owner, id_)
    if photo is None:
        raise NotFound
    if attachment.check:
        attachment.check(photo)


def _detach(
    connection: Connection, attachment: _Attachment, row: object, column: Column[Any], new: object
) -> None:
    """Note the photo that the row refers to now, in the database, for the end of the flush.

    The row is locked: another transaction may replace the photo at the same time.
    """
    table, state = column.table, inspect(row)
    assert isinstance(table, Table)
    identity = zip(table.primary_key, state.identity or (), strict=True)
    query = select(column).where(*(key == value for key, value in identity)).with_for_update()
    old, owner = connection.scalar(query), attachment.owner_of(row)
    session = object_session(row)
    if old is None or old == new or not isinstance(owner, str) or session is None:
        return
    detached = _Detached(
        library=attachment.library,
        owner=owner,
        id=old,
        connection=connection,
        mapper=state.mapper,
        session=async_object_session(row),
    )
    session.info.setdefault(_KEY, []).append(detached)


@event.listens_for(Session, "before_flush")
def _forget(session: Session, *_: object) -> None:
    session.info.pop(_KEY, None)  # of a flush that failed


@event.listens_for(Session, "after_flush")
def _delete(session: Session, _: object) -> None:
    groups: dict[tuple[LibraryLifecycle, str, Connection], list[_Detached]] = defaultdict(list)
    for each in session.info.pop(_KEY, ()):
        groups[each.library, each.owner, each.connection].append(each)
    for (library, owner, connection), found in groups.items():
        ids = {each.id for each in found}
        deleted = delete_unreferenced(connection, owner, ids, now=library.now())
        if deleted:
            _run_hooks(deleted, found[0])
            enqueue_blocking(connection, PURGE, after=PURGE_DELAY)
            library.metrics.deletions.inc(len(deleted))


def _run_hooks(deleted: Sequence[Photo], detached: _Detached) -> None:
    """Run the hooks for deleted photos in the session's transaction."""
    hooks = detached.library.hooks.deleted
    if not hooks:
        return
    if detached.session is None:
        raise UsageError(
            "Hooks of on_deleted are asynchronous: delete or replace photos of rows in an"
            " AsyncSession."
        )
    # The mapper's, since a session may have several.
    connection = detached.session.connection(bind_arguments={"mapper": detached.mapper})
    transaction = await_only(connection)
    with unwrapping_hook_errors():
        for photo in deleted:
            for hook in hooks:
                await_only(hook(transaction, photo))

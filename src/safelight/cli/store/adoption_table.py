"""The table whose rows name the objects that `safelight adopt` makes photos of."""

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from safelight.environment import clean_variables
from safelight.errors import InvalidRequest, SettingsError
from safelight.models import Caption

if TYPE_CHECKING:
    from sqlalchemy import Engine

_DRIVER: Final = re.compile(r"^postgres(?:ql)?(?:\+\w+)?://")
_BATCH: Final = 1000
OPTIONAL_COLUMNS: Final = ("title", "description", "filename", "created_at", "owner")
_PHOTOS: Final = "safelight_photos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """An object to adopt, with what its row says about it."""

    key: str
    owner: str
    caption: Caption = field(default_factory=Caption)
    created_at: datetime | None = None
    row: Mapping[str, Any] = field(default_factory=dict)
    """The values that identify its row, by column."""
    photo_id: int | None = None
    """The photo to which the row refers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a table by what they contain; None: the usual name, if there is one."""

    key: str
    title: str | None = None
    description: str | None = None
    filename: str | None = None
    created_at: str | None = None
    owner: str | None = None
    photo: str | None = None


class OriginalTable:
    """A table of another program, in which each row names the key of an object."""

    def __init__(self, url: str, name: str, columns: Columns, *, where: str | None = None) -> None:
        """Open the database and look up the columns. Raises SettingsError."""
        from sqlalchemy import create_engine
        from sqlalchemy.exc import SQLAlchemyError

        try:
            self._engine: Engine = create_engine(_DRIVER.sub("postgresql+psycopg://", url))
        except (SQLAlchemyError, ValueError, ImportError) as error:
            raise SettingsError(
                "DATABASE_URL is not the address of a database that can be read here, such as"
                " postgresql://USER:PASSWORD@HOST/NAME or sqlite:///FILE."
            ) from error
        self._where = where
        self._writing = threading.Lock()
        try:
            self._load(name, columns)
        except SettingsError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def read(self, prefix: str, *, owner: str) -> Iterator[Sequence[Original]]:
        """Yield the originals in batches, the oldest first. Rows without a key have none."""
        from sqlalchemy import String, cast, select, text
        from sqlalchemy.exc import SQLAlchemyError

        named = {name: self._table.c[column] for name, column in self._columns.items()}
        columns = [column.label(name) for name, column in named.items()]
        if self._photo_column is not None:
            columns.append(self._table.c[self._photo_column].label("photo_id"))
            columns += [
                self._table.c[name].label(f"row {number}")
                for number, name in enumerate(self._identifying)
            ]
        query = select(*columns).where(cast(named["key"], String) != "")
        if self._where:
            query = query.where(text(f"({self._where}\n)"))
        query = query.order_by(named.get("created_at", named["key"]))
        try:
            with self._engine.connect() as connection:
                rows = connection.execution_options(yield_per=_BATCH).execute(query).mappings()
                if self._photo_column is None or connection.dialect.name != "sqlite":
                    for batch in rows.partitions(_BATCH):
                        yield [self._original(row, prefix, owner) for row in batch]
                    return
                found = rows.all()  # SQLite writes nothing while it reads
            yield [self._original(row, prefix, owner) for row in found]
        except SQLAlchemyError as error:
            raise SettingsError(f"The table can't be read: {error.args[0]}") from error

    def check_photo(self, original: Original, id_: int | None) -> None:
        """Raise InvalidRequest if the row refers to another photo than `id_`, or than a new one."""
        if original.photo_id not in {None, id_}:
            raise InvalidRequest(
                f"{'This' if id_ is None else f'This is photo {id_}, and this'} row already has"
                f" {original.photo_id} in {self._photo_column}."
            )

    def set_photo(self, original: Original, id_: int) -> None:
        """Write the number of the photo to the original's row.

        Raises InvalidRequest if the row refers to another photo, or can't be written.
        """
        from sqlalchemy import update
        from sqlalchemy.exc import SQLAlchemyError

        assert self._photo_column is not None
        self.check_photo(original, id_)
        column = self._table.c[self._photo_column]
        is_row = (self._table.c[name] == value for name, value in original.row.items())
        statement = update(self._table).where(*is_row, column.is_(None)).values({column: id_})
        try:
            with self._writing, self._engine.begin() as connection:
                connection.execute(statement)
        except SQLAlchemyError as error:
            raise InvalidRequest(
                f"This is photo {id_}, which can't be written to {self._photo_column}:"
                f" {' '.join(str(error.args[0]).split())}"
            ) from error

    def _require_photo_column(self, name: str) -> None:
        """Raise SettingsError if the numbers of photos can't be written to this column."""
        from sqlalchemy import Integer, SmallInteger

        if name not in self._table.c:
            raise SettingsError(
                f"The table has no column {name!r} for --photo-column. It has"
                f" {', '.join(self._table.c.keys())}. Add one of type BIGINT."
            )
        column = self._table.c[name]
        problem = None
        if not isinstance(column.type, Integer) or isinstance(column.type, SmallInteger):
            problem = f"is of type {column.type}, and has to be BIGINT"
        elif column.primary_key or column.computed is not None or column.identity is not None:
            problem = "is a primary key or generated"
        elif name in self._columns.values():
            problem = "is read for something else"
        elif any(not _leads_to_photos(key.target_fullname) for key in column.foreign_keys):
            problem = f"has a foreign key to another table than {_PHOTOS}"
        if problem:
            raise SettingsError(f"The column {name!r} in --photo-column {problem}.")

    def _load(self, name: str, columns: Columns) -> None:
        from sqlalchemy import MetaData, Table
        from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError

        schema, _, table = name.rpartition(".")
        try:
            self._table: Table = Table(
                table, MetaData(), schema=schema or None, autoload_with=self._engine
            )
        except NoSuchTableError as error:
            raise SettingsError(f"There is no table {name!r} in that database.") from error
        except SQLAlchemyError as error:
            raise SettingsError(
                "The database with the table does not answer: check DATABASE_URL."
            ) from error
        self._columns = self._find_columns(columns)
        self._photo_column = columns.photo
        if columns.photo is not None:
            self._require_photo_column(columns.photo)
        identifying = self._table.primary_key.columns.keys()
        self._identifying = identifying or [
            column for name, column in self._columns.items() if name in {"key", "owner"}
        ]

    def _find_columns(self, columns: Columns) -> dict[str, str]:
        found = {"key": columns.key}
        for name in OPTIONAL_COLUMNS:
            wanted: str | None = getattr(columns, name)
            if wanted or (name != "owner" and name in self._table.c):
                found[name] = wanted or name
        for name, column in found.items():
            if column not in self._table.c:
                option = name.removesuffix("_at")
                raise SettingsError(
                    f"The table has no column {column!r}: name it by --{option}-column. It has"
                    f" {', '.join(self._table.c.keys())}."
                )
        return found

    def _original(self, row: Mapping[Any, Any], prefix: str, owner: str) -> Original:
        original = _original(row, prefix, owner)
        if self._photo_column is None:
            return original
        values = {name: row[f"row {number}"] for number, name in enumerate(self._identifying)}
        return replace(original, row=values, photo_id=row["photo_id"])


def _leads_to_photos(target: str) -> bool:
    """Return whether a foreign key, ``schema.table.column``, is to Safelight's photos."""
    return target.split(".")[-2:] == [_PHOTOS, "id"]


def _original(row: Mapping[Any, Any], prefix: str, owner: str) -> Original:
    created_at = row.get("created_at")
    if isinstance(created_at, datetime):
        if created_at.utcoffset() is None:
            created_at = created_at.replace(tzinfo=UTC)
        created_at = min(created_at, datetime.now(UTC))
    else:
        created_at = None
    texts = {name: str(row[name]) for name in ("title", "description", "filename") if row.get(name)}
    return Original(
        key=find_key(str(row["key"] or ""), prefix),
        owner=str(row.get("owner") or owner),
        caption=Caption(**texts),
        created_at=created_at,
    )


def find_key(value: str, prefix: str) -> str:
    """Return the key that a row names: the key, the rest of one below the prefix, or a URL."""
    if value.startswith(("http://", "https://")):
        value = unquote(urlsplit(value).path).removeprefix("/")
        at = value.find(prefix) if prefix else -1
        value = value[at:] if at > 0 else value
    return value if value.startswith(prefix) or not value else f"{prefix}{value}"


def database_url_of_table(variables: Mapping[str, str] | None = None) -> str | None:
    """Return the tutorial's DATABASE_URL."""
    return clean_variables(os.environ if variables is None else variables).get("DATABASE_URL")

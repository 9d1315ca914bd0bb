"""Where `safelight adopt` finds photos: a store, a bucket with a prefix, and a table."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from safelight.environment import clean_variables
from safelight.errors import SettingsError
from safelight.models import Caption

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from safelight.settings import S3Settings, Settings

_ADDRESS: Final = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?(?:/(?P<prefix>.*))?"
)
_DRIVER: Final = re.compile(r"^postgres(?:ql)?(?:\+\w+)?://")
_BATCH: Final = 1000
OPTIONAL_COLUMNS: Final = ("title", "description", "filename", "created_at", "owner")


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """An object to adopt, with what its row says about it."""

    key: str
    owner: str
    caption: Caption = field(default_factory=Caption)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a table by what they contain; None: the usual name, if there is one."""

    key: str
    title: str | None = None
    description: str | None = None
    filename: str | None = None
    created_at: str | None = None
    owner: str | None = None


def parse_address(address: str, variables: Mapping[str, str]) -> tuple[str, str]:
    """Return bucket and prefix of ``s3://bucket/prefix``; without one, BUCKET_NAME is the bucket.

    Raises SettingsError.
    """
    match = _ADDRESS.fullmatch(address)
    bucket = match and (match["bucket"] or clean_variables(variables).get("BUCKET_NAME"))
    if not match or not bucket:
        raise SettingsError(
            f"{address!r} names no bucket: write s3://BUCKET/PREFIX, or s3:// with BUCKET_NAME set."
        )
    prefix = match["prefix"] or ""
    return bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""


def source_settings(settings: "Settings", variables: Mapping[str, str]) -> "S3Settings | None":
    """Return the store in the tutorial's variables; None if it is the library's own.

    These are S3_ENDPOINT_URL, AWS_ACCESS_KEY and AWS_SECRET_KEY, and Amazon's own names of the
    keys. Raises SettingsError.
    """
    from pydantic import ValidationError

    from safelight.settings import S3Settings

    given = clean_variables(variables)
    region = given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION") or "us-east-1"
    access_key = given.get("AWS_ACCESS_KEY") or given.get("AWS_ACCESS_KEY_ID")
    secret_key = given.get("AWS_SECRET_KEY") or given.get("AWS_SECRET_ACCESS_KEY")
    endpoint = given.get("S3_ENDPOINT_URL")
    if not endpoint and not (access_key and settings.s3.endpoint_url is None):
        return None
    own = settings.s3
    try:
        store = S3Settings(
            endpoint_url=endpoint or f"https://s3.{region}.amazonaws.com",
            access_key=access_key or own.access_key,
            secret_key=secret_key or own.secret_key,
            region=region,
        )
    except ValidationError as error:
        raise SettingsError(
            f"S3_ENDPOINT_URL, AWS_ACCESS_KEY or AWS_SECRET_KEY: {error.errors()[0]['msg']}"
        ) from error
    is_own = (store.endpoint_url, store.access_key) == (own.endpoint_url, own.access_key)
    return None if is_own else store


class OriginalTable:
    """A table of another program, in which each row names the key of an object."""

    def __init__(self, url: str, name: str, columns: Columns, *, where: str | None = None) -> None:
        """Open the database and look up the columns. Raises SettingsError."""
        from sqlalchemy import MetaData, Table, create_engine
        from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError

        try:
            self._engine: Engine = create_engine(_DRIVER.sub("postgresql+psycopg://", url))
        except (SQLAlchemyError, ValueError, ImportError) as error:
            raise SettingsError(
                "DATABASE_URL is not the address of a database that can be read here, such as"
                " postgresql://USER:PASSWORD@HOST/NAME or sqlite:///FILE."
            ) from error
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
        self._where = where
        self._columns = self._find_columns(columns)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def read(self, prefix: str, *, owner: str) -> Iterator[Sequence[Original]]:
        """Yield the originals in batches, in the order of their keys."""
        from sqlalchemy import select, text
        from sqlalchemy.exc import SQLAlchemyError

        named = {name: self._table.c[column] for name, column in self._columns.items()}
        query = select(*(column.label(name) for name, column in named.items()))
        if self._where:
            query = query.where(text(self._where))
        query = query.order_by(named.get("created_at", named["key"]))
        try:
            with self._engine.connect() as connection:
                rows = connection.execution_options(yield_per=_BATCH).execute(query)
                for batch in rows.mappings().partitions(_BATCH):
                    yield [_original(row, prefix, owner) for row in batch]
        except SQLAlchemyError as error:
            raise SettingsError(f"The table can't be read: {error.args[0]}") from error

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

"""Migrate the schema. When several processes start, one migrates and the others wait."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from psycopg import errors as pg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from safelight.catalog.connections.pool import SHARED_SESSIONS
from safelight.errors import CatalogUnavailable, SettingsError

_LOCK = 0x5AFE_11617
"""The advisory lock that makes other starting processes wait."""

# libpq has no SQLSTATE for a refused login. If the server's messages are in another language, it
# counts as a server that doesn't answer.
_no_login: Final = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|role .* (does not exist|is not permitted to log in)"
).search
_no_database: Final = re.compile(
    r"database .* does not exist|permission denied for database|is not currently accepting"
).search
_statement_pooling: Final = re.compile(r"statement pooling").search
_too_many: Final = re.compile(r"too many (clients|connections)|connection slots are").search
_read_only: Final = re.compile(r"read-only|in recovery|during recovery").search


def upgrade(connection: Connection) -> None:
    """Migrate to the newest version, in one transaction of the connection."""
    # The connection's own timeouts are for queries, not for a migration or the wait for its lock.
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's settings; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def operator_errors() -> Iterator[None]:
    """Turn errors that an operator can fix into SettingsErrors that explain how."""
    try:
        yield
    except CommandError as error:
        raise SettingsError(
            "The database was upgraded by a newer Safelight. Start that version, or restore a"
            " backup made with this one."
        ) from error
    except CatalogUnavailable as error:
        cause = error.__cause__
        message = str(cause.orig if isinstance(cause, DBAPIError) else cause or "")
        raise SettingsError(f"{_explain(message)}{_quote(message)}") from error
    except DBAPIError as error:
        if not isinstance(error.orig, pg.InsufficientPrivilege | pg.InvalidSchemaName):
            raise
        raise SettingsError(
            "The user in SAFELIGHT_DATABASE_URL cannot create tables in that database. Make it the"
            " owner of the database, or GRANT CREATE, USAGE ON SCHEMA public to it."
            f"{_quote(str(error.orig))}"
        ) from error


def _explain(message: str) -> str:
    if _no_login(message):
        return (
            "PostgreSQL rejects the user or password in SAFELIGHT_DATABASE_URL. Correct them, or"
            " create that user."
        )
    if _no_database(message):
        return (
            "PostgreSQL has no database with the name in SAFELIGHT_DATABASE_URL that its user can"
            " open. Correct the name, or create the database (CREATE DATABASE)."
        )
    if _statement_pooling(message):
        return SHARED_SESSIONS
    if _too_many(message):
        return (
            "PostgreSQL has no connection left for the user in SAFELIGHT_DATABASE_URL. Raise its"
            " max_connections or the user's limit, or run fewer processes."
        )
    if _read_only(message):
        return (
            "PostgreSQL is read-only, as a standby is. Put the server that takes writes into"
            " SAFELIGHT_DATABASE_URL, or all of them: postgresql://USER@HOST,HOST/NAME."
        )
    return "PostgreSQL does not answer. Start it, or correct SAFELIGHT_DATABASE_URL."


def _quote(message: str) -> str:
    """Return what PostgreSQL or libpq answered on one line."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return f" The message was: {' '.join(lines)}" if lines else ""

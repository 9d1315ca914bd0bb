"""The schema's versions: brought up to date once, by whoever comes first."""

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

from safelight.errors import CatalogUnavailable, SettingsError

_LOCK = 0x5AFE_11617
"""The advisory lock that makes the second of two starting processes wait for the first."""

# A refused login has no SQLSTATE in libpq. Where the server speaks another language, it counts as
# a server that doesn't answer.
_no_login: Final = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|role .* (does not exist|is not permitted to log in)"
).search
_no_database: Final = re.compile(
    r"database .* does not exist|permission denied for database|is not currently accepting"
).search


def upgrade(connection: Connection) -> None:
    """Bring the tables to the newest version, in one transaction of the connection's."""
    # The connection's own timeouts are for a page's queries, not for a migration or its turn.
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    command.upgrade(configuration(connection), "head")


def configuration(connection: Connection) -> Config:
    """Give Alembic its settings; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def in_an_operators_terms() -> Iterator[None]:
    """Tell what is wrong with the database that the settings name, where it is that."""
    try:
        yield
    except CommandError as error:
        raise SettingsError(
            "The database was made by a newer Safelight: start that version, or restore a"
            " backup made with this one."
        ) from error
    except CatalogUnavailable as error:
        cause = error.__cause__
        wrong = _refusal(str(cause.orig if isinstance(cause, DBAPIError) else cause))
        if wrong is None:
            wrong = "PostgreSQL does not answer: start it, or correct SAFELIGHT_DATABASE_URL."
        raise SettingsError(wrong) from error
    except DBAPIError as error:
        if not isinstance(error.orig, pg.InsufficientPrivilege | pg.InvalidSchemaName):
            raise
        raise SettingsError(
            "The user of SAFELIGHT_DATABASE_URL may not make tables in that database: make it the"
            " database's owner, or GRANT CREATE, USAGE ON SCHEMA public to it."
        ) from error


def _refusal(said: str) -> str | None:
    if _no_login(said):
        return (
            "PostgreSQL lets nobody in by the user and password of SAFELIGHT_DATABASE_URL: correct"
            " them, or make that user."
        )
    if _no_database(said):
        return (
            "PostgreSQL has no database of the name in SAFELIGHT_DATABASE_URL that its user may"
            " open: correct the name, or make it (CREATE DATABASE)."
        )
    return None

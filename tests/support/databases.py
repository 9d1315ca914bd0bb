"""Create databases for single tests on engines that many tests share."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from safelight.engines import EmbeddedEngines

EMPTY = "template1"
MIGRATED = "migrated"
"""A database with all migrations, in the engines' data that `engine_data` prepares."""


@contextmanager
def database(engines: EmbeddedEngines, *, template: str = MIGRATED) -> Iterator[str]:
    """Create a database that our role owns, yield its URL, and drop it at the end."""
    name = f"test_{uuid4().hex}"
    create_database(engines, name, template=template)
    yield _render(make_url(engines.database_url).set(database=name))
    with psycopg.connect(superuser_url(engines), autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)),
        )


def create_database(engines: EmbeddedEngines, name: str, *, template: str) -> None:
    """Create a database that our role owns, as a copy of another."""
    with psycopg.connect(superuser_url(engines), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                sql.Identifier(name),
                sql.Identifier(str(make_url(engines.database_url).username)),
                sql.Identifier(template),
            )
        )


def superuser_url(engines: EmbeddedEngines) -> str:
    """Return the URL of the database in which a superuser may do what our role may not."""
    assert engines._secrets is not None
    password = engines._secrets.postgres_superuser_password
    url = make_url(engines.database_url)
    return _render(url.set(username="postgres", password=password, database="postgres"))


def _render(url: URL) -> str:
    return url.render_as_string(hide_password=False)

"""Databases of one test's own, on the engine that all share."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from safelight.engines import EmbeddedEngines


@contextmanager
def database(engines: EmbeddedEngines) -> Iterator[str]:
    """The URL of a database with nothing in it, that our role owns; dropped at the end."""
    name = sql.Identifier(f"empty_{uuid4().hex}")
    url = make_url(engines.database_url)
    assert engines._credentials is not None
    password = engines._credentials.postgres_superuser_password
    superuser = url.set(username="postgres", password=password, database="postgres")
    with psycopg.connect(_written(superuser), autocommit=True) as connection:
        owner = sql.Identifier(str(url.username))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
        yield _written(url.set(database=name.as_string().strip('"')))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _written(url: URL) -> str:
    return url.render_as_string(hide_password=False)

"""PostgreSQL for tests: the one in the wheel or the host's own, and a database for each test.

A test's database is a copy of a template with all migrations, which takes a few hundredths of a
second.
"""

import asyncio
import fcntl
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
from psycopg import errors as pg
from psycopg import sql
from sqlalchemy import make_url

from safelight.catalog import Catalog
from safelight.engines import EmbeddedEngines
from safelight.engines.postgres.server import NAME
from safelight.engines.processes import Command, run
from safelight.errors import EngineError, SettingsError

MIGRATED: Final = "migrated"
"""The database with all migrations in a prepared template."""

_STARTED_FILES: Final = ("lock", "ports.json", "logs", "postgres/lock", "seaweedfs/s3.sock")
"""Files of one start of the engines, relative to their data directory."""
_NO_SYNC: Final = "fsync = off\nfull_page_writes = off\n"
"""Tests kill only processes, never the machine, so writes in the page cache are not lost."""


class EngineTemplate:
    """A data directory of the embedded engines with all migrations, prepared once, to be copied.

    All processes of a run that share the folder share it. Starting a copy takes a third of the
    time of a first start.
    """

    def __init__(self, folder: Path, *, storage: bool = False, bucket: str = "safelight") -> None:
        self._folder = folder
        self._storage = storage
        self._bucket = bucket

    def copy(self, data_dir: Path) -> None:
        """Create a data directory as a copy of the template."""
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        copied = (self._prepared(), data_dir.absolute())
        status, output = run(Command(argv=["/bin/cp", "-a", "--reflink=auto", *copied]))
        if status != 0:
            raise EngineError(f"The engines' data can't be copied to {data_dir}: {output}")

    def _prepared(self) -> Path:
        template = self._folder / "template"
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not template.exists():
                self._prepare(self._folder / "preparing").rename(template)
        return template

    def _prepare(self, directory: Path) -> Path:
        engines = EmbeddedEngines(directory, bucket=self._bucket, storage=self._storage)
        engines.start()
        try:
            migrate(engines.database_url)
            DatabaseServer.of(engines).create(MIGRATED, template=NAME)
        finally:
            engines.stop()
        for name in _STARTED_FILES:
            path = directory / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        with (directory / "postgres" / "data" / "postgresql.auto.conf").open("a") as settings:
            settings.write(_NO_SYNC)
        return directory


class DatabaseServer:
    """A PostgreSQL server that makes databases for tests.

    `url` is of a role that may create databases, and `owner` owns them. Raises SettingsError if
    the server doesn't answer, or the role may not create databases.
    """

    def __init__(self, url: str, *, owner_url: str | None = None) -> None:
        self._url = url
        self._owner_url = make_url(owner_url or url)

    @classmethod
    def of(cls, engines: EmbeddedEngines) -> "DatabaseServer":
        """Return the embedded server; its superuser creates databases for its ordinary role."""
        return cls(engines.superuser_url, owner_url=engines.database_url)

    @contextmanager
    def database(self, *, template: str = "template1") -> Iterator[str]:
        """Create a database as a copy of another, yield its URL, and drop it at the end."""
        name = f"test_{uuid4().hex}"
        yield self.create(name, template=template)
        self.drop(name)

    def create(self, name: str, *, template: str = "template1") -> str:
        """Create a database as a copy of another, and return its URL."""
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
            sql.Identifier(name),
            sql.Identifier(str(self._owner_url.username)),
            sql.Identifier(template),
        )
        try:
            self._execute(statement)
        except pg.InsufficientPrivilege as error:
            raise SettingsError(
                f"The role {make_url(self._url).username} can't create databases for tests: run"
                f" ALTER ROLE {make_url(self._url).username} CREATEDB."
            ) from error
        return self._owner_url.set(database=name).render_as_string(hide_password=False)

    def drop(self, name: str) -> None:
        """Drop a database, and close what is connected to it."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def create_template(
        self,
        name: str,
        *,
        template: str | None = None,
        prepare: Callable[[str], object] | None = None,
    ) -> None:
        """Create a database with all migrations, of which others are copies.

        It is a copy of `template` if that has them already. `prepare` gets its URL, and may add
        tables; what it leaves connected is disconnected, since PostgreSQL copies no database that
        is in use.
        """
        url = self.create(name, template=template or "template1")
        if template is None:
            migrate(url)
        if prepare:
            sqlalchemy_url = make_url(url).set(drivername="postgresql+psycopg")
            prepare(sqlalchemy_url.render_as_string(hide_password=False))
        self._execute(
            sql.SQL(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}"
            ).format(sql.Literal(name))
        )

    def _execute(self, statement: sql.Composed) -> None:
        try:
            with psycopg.connect(self._url, autocommit=True) as connection:
                connection.execute(statement)
        except psycopg.OperationalError as error:
            raise SettingsError(f"The PostgreSQL for tests does not answer: {error}") from error


def migrate(url: str) -> None:
    """Migrate a database to the newest version, from a thread with or without an event loop."""

    async def upgrade() -> None:
        catalog = Catalog(url)
        try:
            await catalog.upgrade()
        finally:
            await catalog.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, upgrade()).result()


class DatabaseCopies:
    """Copies of a template for one test each; the next one is made while a test runs."""

    def __init__(self, server: DatabaseServer, template: str) -> None:
        self._server = server
        self._template = template
        self._thread = ThreadPoolExecutor(1)
        self._next: Future[tuple[str, str]] | None = None

    @contextmanager
    def database(self) -> Iterator[str]:
        """Yield the URL of a copy, and drop it soon after the end."""
        current = self._next or self._thread.submit(self._create)
        self._next = self._thread.submit(self._create)
        name, url = current.result()
        yield url
        self._thread.submit(self._server.drop, name)

    def close(self) -> None:
        """Drop what was created and not used."""
        if self._next:
            self._server.drop(self._next.result()[0])
        self._thread.shutdown()

    def _create(self) -> tuple[str, str]:
        name = f"test_{uuid4().hex}"
        return name, self._server.create(name, template=self._template)

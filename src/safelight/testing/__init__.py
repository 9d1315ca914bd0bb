"""Fixtures for the tests of apps that use Safelight: a plugin for pytest.

Load it in your ``conftest.py`` with ``pytest_plugins = ["safelight.testing"]``. Fixtures are lazy:
nothing starts before a test requests it.

============================= ==================================================================
fixture                       what it is
============================= ==================================================================
`memory_library`              a library on PostgreSQL, with a bucket in memory
`library`                     a library on PostgreSQL and SeaweedFS
`photo`                       the factory of test pictures, also ``from safelight.testing import
                              photo``
`safelight_library`           the library of the option with this name; or override it
`safelight_database_url`      override it: your own PostgreSQL
`safelight_prepare_database`  creates the tables of the option `safelight_tables`; or override it
============================= ==================================================================

A conftest may import it before pytest does (PYTEST_DONT_REWRITE: it has no assertions of tests).
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pytest

from safelight.testing.photos import PhotoFormat, photo

if TYPE_CHECKING:
    from safelight.engines import EmbeddedEngines
    from safelight.library import Library
    from safelight.library.backends import Backends
    from safelight.settings import Settings
    from safelight.testing.darkroom import SessionLoop
    from safelight.testing.databases import DatabaseCopies
    from safelight.testing.store import MemoryStoreServer

__all__ = ["PhotoFormat", "photo"]

_FOLDER: Final = "PYTEST_SAFELIGHT_FOLDER"
"""Names the folder that all processes of a run share; the workers of xdist inherit it."""


_SPACE: Final = 4 << 30
"""Bytes that the files of a run may need at once."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the app's library and tables."""
    from safelight.testing.options import add_options

    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Create the folder of the run. If root runs it, PostgreSQL's own user must reach the files."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="safelight-tests-", dir=_temporary_parent())
        Path(folder).chmod(0o711)
        os.environ[_FOLDER] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(name="photo", scope="session")
def _photo() -> Callable[..., bytes]:
    """Return the factory of test pictures."""
    return photo


@pytest.fixture
def safelight_library(pytestconfig: pytest.Config) -> Iterator["Library"]:
    """Yield the library that tests use: that of the option, or else a new one.

    Override it to return your app's in another way.
    """
    from safelight.library import Library
    from safelight.settings import Settings
    from safelight.testing.options import configured_library, refusing_others

    if configured := configured_library(pytestconfig):
        yield configured
        return
    library = Library.from_settings(Settings(), worker=False)
    with refusing_others(library):
        yield library


@pytest.fixture(scope="session")
def safelight_database_url() -> str | None:
    """Return the URL of a PostgreSQL for tests, None for the one in the wheel.

    Override it for your own; its user must be allowed to create databases.
    """
    return None


@pytest.fixture(scope="session")
def safelight_prepare_database(pytestconfig: pytest.Config) -> Callable[[str], object] | None:
    """Return a function that gets a database's URL once, and creates your own tables in it.

    The URL is for SQLAlchemy with psycopg. By default it creates the tables of the option. Override
    it if yours are created in another way: each test gets a copy of the database.
    """
    from safelight.testing.options import configured_tables

    return configured_tables(pytestconfig)


@pytest.fixture(scope="session")
def _safelight_loop() -> Iterator["SessionLoop"]:
    from safelight.testing.darkroom import SessionLoop

    loop = SessionLoop()
    loop.warm_up()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def _safelight_data() -> Iterator[Path]:
    """Create a folder of this process."""
    folder = Path(os.environ[_FOLDER]) / uuid4().hex
    folder.mkdir(mode=0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _safelight_databases(
    _safelight_data: Path,
    safelight_database_url: str | None,
    safelight_prepare_database: Callable[[str], object] | None,
) -> Iterator["DatabaseCopies"]:
    """Start or use PostgreSQL, and yield the databases of tests."""
    from safelight.testing.databases import (
        MIGRATED,
        DatabaseCopies,
        DatabaseServer,
        EngineTemplate,
    )

    with ExitStack() as stack:
        migrated = None
        if safelight_database_url:
            server = DatabaseServer(safelight_database_url)
        else:
            from safelight.engines import EmbeddedEngines

            EngineTemplate(Path(os.environ[_FOLDER])).copy(_safelight_data / "postgres")
            engines = EmbeddedEngines(
                _safelight_data / "postgres", bucket="safelight", storage=False
            )
            engines.start()
            stack.callback(engines.stop)
            server, migrated = DatabaseServer.of(engines), MIGRATED
        template = migrated
        if template is None or safelight_prepare_database:
            template = f"test_template_{uuid4().hex}"
            server.create_template(template, template=migrated, prepare=safelight_prepare_database)
            stack.callback(server.drop, template)
        copies = DatabaseCopies(server, template)
        stack.callback(copies.close)
        yield copies


@pytest.fixture(scope="session")
def _safelight_memory_store() -> Iterator["MemoryStoreServer"]:
    from safelight.testing.store import MemoryStoreServer

    server = MemoryStoreServer().start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def _safelight_store(_safelight_data: Path) -> Iterator["EmbeddedEngines"]:
    """Start SeaweedFS alone."""
    from safelight.engines import EmbeddedEngines

    engines = EmbeddedEngines(_safelight_data / "store", bucket="safelight", postgres=False)
    engines.start()
    yield engines
    engines.stop()


@pytest.fixture
def memory_library(
    safelight_library: "Library",
    _safelight_loop: "SessionLoop",
    _safelight_databases: "DatabaseCopies",
    _safelight_memory_store: "MemoryStoreServer",
    tmp_path: Path,
) -> Iterator["Library"]:
    """Yield a library with an own database and an empty bucket in memory; it is not started.

    Your app's lifespan starts it, or ``async with library.lifespan(None)``. Pictures are really
    decoded, and links and presigned uploads work, also from a browser. No worker runs: make
    renditions that jobs would make with `render`.
    """
    from safelight.testing.darkroom import SessionDarkroom
    from safelight.testing.libraries import open_memory_backends

    with _safelight_databases.database() as url:
        settings = _settings(safelight_library, tmp_path, url)

        def open_backends() -> AbstractAsyncContextManager["Backends"]:
            return open_memory_backends(
                settings,
                url,
                safelight_library.now,
                darkroom=SessionDarkroom(settings.limits, _safelight_loop),
                server=_safelight_memory_store,
            )

        with safelight_library.using(open_backends):
            yield safelight_library


@pytest.fixture
def library(
    safelight_library: "Library",
    _safelight_loop: "SessionLoop",
    _safelight_databases: "DatabaseCopies",
    _safelight_store: "EmbeddedEngines",
    tmp_path: Path,
) -> Iterator["Library"]:
    """Yield a library with an own database and an empty bucket in SeaweedFS; it is not started.

    The rest is as for `memory_library`.
    """
    from pydantic import SecretStr

    from safelight.library.backends import open_backends as open_real_backends
    from safelight.settings import S3Settings
    from safelight.testing.darkroom import SessionDarkroom
    from safelight.testing.libraries import empty_bucket

    store = S3Settings(
        endpoint_url=_safelight_store.s3_endpoint_url,
        access_key=_safelight_store.s3_access_key,
        secret_key=SecretStr(_safelight_store.s3_secret_key),
        bucket=_safelight_store.bucket,
        region=_safelight_store.region,
    )
    with _safelight_databases.database() as url:
        settings = _settings(safelight_library, tmp_path, url).model_copy(update={"s3": store})

        def open_backends() -> AbstractAsyncContextManager["Backends"]:
            darkroom = SessionDarkroom(settings.limits, _safelight_loop)
            return open_real_backends(settings, safelight_library.now, darkroom=darkroom)

        with safelight_library.using(open_backends):
            yield safelight_library
    _safelight_loop.run(empty_bucket(store))


def _settings(library: "Library", data_dir: Path, database_url: str) -> "Settings":
    """Return the library's settings, with a test's own folder and database."""
    from pydantic import SecretStr

    from safelight.settings import Settings

    settings = library.settings or Settings()
    return settings.model_copy(
        update={"data_dir": data_dir, "database_url": SecretStr(database_url)}
    )


def _temporary_parent() -> str | None:
    """Return the disk in memory if it has room, since PostgreSQL syncs what initdb writes."""
    memory = Path("/dev", "shm")
    has_room = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _SPACE
    return None if "TMPDIR" in os.environ or not has_room else str(memory)

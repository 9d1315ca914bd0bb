"""Fixtures of the integration tests: a library over shared engines, and sites over it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from safelight import keys
from safelight.engines import EmbeddedEngines
from safelight.library import Library
from safelight.settings import RenditionSettings
from support import pictures
from support.app_server import AppServer, Site, run_app_server, settings_for
from support.databases import EMPTY, database
from support.engine_data import copy_engine_data
from support.memory_library import open_memory_library


@pytest.fixture(scope="session")
def app_server(
    engines: EmbeddedEngines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AppServer]:
    """A library with default limits, to serve any number of sites over."""
    with run_app_server(settings_for(engines, tmp_path_factory.mktemp("data"))) as server:
        server.share_site()
        yield server


@pytest.fixture(autouse=True)
def _temporary_sites(request: pytest.FixtureRequest) -> Iterator[None]:
    """Stop the sites of each test at its end."""
    if "app_server" not in request.fixturenames:
        yield
        return
    app_server: AppServer = request.getfixturevalue("app_server")
    with app_server.temporary_sites():
        yield


@pytest.fixture
def site(app_server: AppServer) -> Site:
    """A site without authentication, whose owner has no photos yet. Tests share its app."""
    return app_server.shared_site()


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


@pytest.fixture
def data_dir(app_server: AppServer) -> Path:
    return app_server.settings.data_dir


@pytest.fixture
def guarded(app_server: AppServer) -> Site:
    """A site that requires a token."""
    return app_server.site(auth="token")


@pytest.fixture
def anonymous_client(guarded: Site) -> Iterator[httpx.Client]:
    with guarded.client() as client:
        yield client


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a good photo, 256 by 192 pixels."""
    path = tmp_path_factory.mktemp("photos") / "astronaut.jpg"
    path.write_bytes(pictures.jpeg())
    return path


@pytest.fixture
def database_url(engines: EmbeddedEngines) -> Iterator[str]:
    """The URL of a private database with all migrations and no rows."""
    with database(engines) as url:
        yield url


@pytest.fixture
def empty_database(engines: EmbeddedEngines) -> Iterator[str]:
    """The URL of a private database without tables, owned by our role."""
    with database(engines, template=EMPTY) as url:
        yield url


@pytest.fixture(scope="session")
def postgres(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    """PostgreSQL without an object store, started once per worker."""
    copy_engine_data(open_tmp_path / "postgres")
    embedded = EmbeddedEngines(open_tmp_path / "postgres", bucket="safelight", storage=False)
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture
async def memory_library(postgres: EmbeddedEngines, tmp_path: Path) -> AsyncIterator[Library]:
    """An empty library with a bucket in memory and no worker."""
    with database(postgres) as url:
        async with open_memory_library(url, tmp_path) as library:
            yield library


@pytest.fixture
async def library_with_jobs(postgres: EmbeddedEngines, tmp_path: Path) -> AsyncIterator[Library]:
    """The same, but 1280 pixels are rendered by jobs."""
    later = RenditionSettings.model_validate({"presets": "w1280 1280 later"})
    with database(postgres) as url:
        async with open_memory_library(url, tmp_path, renditions=later) as library:
            yield library


@pytest.fixture(scope="session")
def own_engines(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    """Engines with a private bucket, for tests that check everything in it."""
    copy_engine_data(open_tmp_path / "own-engines")
    embedded = EmbeddedEngines(open_tmp_path / "own-engines", bucket="safelight")
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture
async def own_library(own_engines: EmbeddedEngines, tmp_path: Path) -> AsyncIterator[Library]:
    """An empty library with a private bucket and no worker."""
    opened = Library.from_settings(settings_for(own_engines, tmp_path), worker=False)
    async with opened.lifespan(None):
        tables = "safelight_photos, safelight_uploads, procrastinate_jobs, procrastinate_events"
        await opened.backends.catalog.transaction(
            lambda c: c.execute(text(f"TRUNCATE {tables} CASCADE"))
        )
        for prefix in (keys.PHOTOS, keys.INCOMING, keys.QUARANTINE):
            await opened.backends.bucket.delete_prefix(prefix)
        async for batch in opened.backends.multipart.list_unfinished(keys.INCOMING):
            for each in batch:
                await opened.backends.multipart.abort(each.key)
        yield opened

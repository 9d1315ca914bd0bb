"""What the tests of the web ask for: a library over the engines of the run, and sites over it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from databases import database
from integration.served import House, Site, house, settings_for
from safelight import keys
from safelight.engines import EmbeddedEngines
from safelight.library import Library


@pytest.fixture(scope="session")
def a_house(engines: EmbeddedEngines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A library with the limits as they come; any number of sites can be served over it."""
    with house(settings_for(engines, tmp_path_factory.mktemp("house"))) as living:
        yield living


@pytest.fixture
def site(a_house: House) -> Site:
    """A site that asks nobody who they are, with no photos yet."""
    return a_house.site()


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


@pytest.fixture
def data_dir(a_house: House) -> Path:
    return a_house.settings.data_dir


@pytest.fixture
def guarded(a_house: House) -> Site:
    """A site that asks for a token."""
    return a_house.site(auth="token")


@pytest.fixture
def visitor(guarded: Site) -> Iterator[httpx.Client]:
    with guarded.client() as client:
        yield client


@pytest.fixture
def empty(engines: EmbeddedEngines) -> Iterator[str]:
    """The URL of a database with nothing in it, that our role owns."""
    with database(engines) as url:
        yield url


@pytest.fixture(scope="session")
def own_engines(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    """Engines whose bucket is nobody else's: for tests that look at all that is in it."""
    embedded = EmbeddedEngines(open_tmp_path / "own-engines", bucket="safelight")
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture
async def own_library(own_engines: EmbeddedEngines, tmp_path: Path) -> AsyncIterator[Library]:
    """A library of which nothing is there yet, and whose jobs nobody does."""
    opened = Library.from_settings(settings_for(own_engines, tmp_path), worker=False)
    async with opened.lifespan(None):
        tables = "safelight_photos, safelight_uploads, procrastinate_jobs, procrastinate_events"
        await opened.parts.catalog.change(lambda c: c.execute(text(f"TRUNCATE {tables} CASCADE")))
        for prefix in (keys.PHOTOS, keys.INCOMING, keys.QUARANTINE):
            await opened.parts.storage.delete_prefix(prefix)
        async for batch in opened.parts.multiparts.unfinished(keys.INCOMING):
            for each in batch:
                await opened.parts.multiparts.abort(each.key)
        yield opened

"""What the tests of the web ask for: a library over the engines of the run, and sites over it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from databases import database
from integration.served import House, Site, house, settings_for
from safelight.engines import EmbeddedEngines


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

"""Safelight on S3 servers of Debian: Ceph's RADOS gateway and OpenStack Swift."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from safelight.engines import EmbeddedEngines
from safelight.settings import S3Settings
from safelight.storage import verify_store
from support.databases import database
from support.debian_stores import run_ceph, run_swift
from support.engine_data import copy_engine_data
from support.store_matrix import (
    check_column,
    check_deletion,
    check_photos,
    describe_store,
    run_library,
)
from support.stores import RealStore

pytestmark = [pytest.mark.debian, pytest.mark.timeout(600)]  # the first run installs packages

Runner = Callable[[Path], AbstractContextManager[RealStore]]


@pytest.fixture(scope="module", params=(run_ceph, run_swift), ids=lambda each: each.__name__[4:])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealStore]:
    runner: Runner = request.param
    with runner(tmp_path_factory.mktemp("s")) as running:
        yield running


@pytest.fixture(scope="module")
def postgres(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    """PostgreSQL without an object store."""
    copy_engine_data(open_tmp_path / "postgres")
    embedded = EmbeddedEngines(open_tmp_path / "postgres", bucket="safelight", storage=False)
    embedded.start()
    yield embedded
    embedded.stop()


async def test_documentation_says_what_the_store_does(store: RealStore) -> None:
    await verify_store(S3Settings(endpoint_url=store.url), store.config, store.credentials)
    check_column(store.name, await describe_store(store))


def test_photos_live_and_die_without_any_setting(
    store: RealStore, postgres: EmbeddedEngines, tmp_path: Path
) -> None:
    with database(postgres) as url, run_library(store, url, tmp_path) as server:
        check_photos(server)
        server.do(check_deletion(server))

"""Safelight on other people's S3 servers; docs/stores.md has the table of what they do."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from safelight.engines import EmbeddedEngines
from safelight.settings import S3Settings
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage import StoreProbe, verify_store
from support.databases import database
from support.name_proxy import run_name_proxy
from support.store_matrix import (
    check_column,
    check_deletion,
    check_photos,
    describe_store,
    run_library,
)
from support.stores import RealStore, run_juicefs, run_rclone, run_seaweedfs

RUNNERS = (run_seaweedfs, run_rclone, run_juicefs)
Runner = Callable[[Path], AbstractContextManager[RealStore]]


@pytest.fixture(scope="session", params=RUNNERS, ids=lambda runner: runner.__name__[4:])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealStore]:
    """A running store, one after the other."""
    runner: Runner = request.param
    with runner(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
async def bucket_exists(store: RealStore) -> None:
    """Create the bucket, as every start does."""
    s3 = S3Settings(endpoint_url=store.url)
    await verify_store(s3, store.config, store.credentials)


@pytest.mark.usefixtures("bucket_exists")
async def test_documentation_says_what_the_store_does(store: RealStore) -> None:
    check_column(store.name, await describe_store(store))


def test_photos_live_and_die_without_any_setting(
    store: RealStore, postgres: EmbeddedEngines, tmp_path: Path
) -> None:
    with database(postgres) as url, run_library(store, url, tmp_path) as server:
        check_photos(server)
        server.do(check_deletion(server))


@pytest.mark.parametrize("store", [run_seaweedfs], ids=["seaweedfs"], indirect=True)
def test_photos_live_and_die_with_the_bucket_in_the_host_name(
    store: RealStore, postgres: EmbeddedEngines, tmp_path: Path
) -> None:
    with (
        database(postgres) as url,
        run_name_proxy(store.url),
        run_library(store, url, tmp_path, is_virtual=True) as server,
    ):
        check_photos(server)


WRONG_KEY = Credentials(access_key="unknown-key", secret_key="of-another-store")


@pytest.mark.usefixtures("bucket_exists")
async def test_wrong_keys_and_a_missing_bucket_are_named(store: RealStore) -> None:
    secret = Credentials(access_key=store.access_key, secret_key="wrong-wrong-wrong")
    for config, credentials, check, code in (
        (store.config, WRONG_KEY, "keys", "InvalidAccessKeyId"),
        (store.config, secret, "keys", "SignatureDoesNotMatch"),
        (replace(store.config, bucket="missing"), None, "bucket", "NoSuchBucket"),
    ):
        provider = StaticCredentials(credentials) if credentials else store.credentials
        report = await StoreProbe(config, provider, timeout=timedelta(seconds=60)).run()
        assert report.failure
        assert report.failure.check == check
        assert code in report.failure.message

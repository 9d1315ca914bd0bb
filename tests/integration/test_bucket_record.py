"""A catalog remembers its bucket, and refuses another one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from pydantic import SecretStr

from safelight import keys
from safelight.catalog import Catalog
from safelight.cli.admin.db import replace_bucket
from safelight.engines import EmbeddedEngines
from safelight.errors import OperatorError, SettingsError
from safelight.library import Library
from safelight.models import Caption
from safelight.server.record import record_server
from safelight.settings import S3Settings, Settings
from support import pictures
from support.app_server import settings_for
from support.engine_data import copy_engine_data


@pytest.fixture
async def catalog(database_url: str) -> AsyncIterator[Catalog]:
    opened = Catalog(database_url)
    yield opened
    await opened.close()


async def _reserve(catalog: Catalog) -> None:
    storage_id = keys.new_storage_id()
    await catalog.reservations.reserve(
        "ann", Caption(), storage_id=storage_id, now=datetime.now(UTC)
    )


async def test_first_bucket_is_remembered(catalog: Catalog) -> None:
    await _reserve(catalog)  # as in a catalog of an earlier version
    for _ in range(2):
        await catalog.bucket_record.check("pictures")
    with pytest.raises(SettingsError) as caught:
        await catalog.bucket_record.check("pictuers")
    message = str(caught.value)
    for part in ("'pictures'", "'pictuers'", "SAFELIGHT_S3__BUCKET", "set-bucket pictuers"):
        assert part in message


async def test_catalog_without_photos_takes_any_bucket(catalog: Catalog) -> None:
    for name in ("pictures", "photos", "pictures"):
        await catalog.bucket_record.check(name)
    await _reserve(catalog)
    with pytest.raises(SettingsError, match="'pictures'"):
        await catalog.bucket_record.check("photos")


async def test_processes_that_start_together_agree(catalog: Catalog) -> None:
    await _reserve(catalog)
    checks = [catalog.bucket_record.check(f"bucket-{number}") for number in range(4)]
    results = await asyncio.gather(*checks, return_exceptions=True)
    assert [type(result) for result in results].count(SettingsError) == 3


async def test_bucket_can_be_replaced(catalog: Catalog) -> None:
    assert await catalog.bucket_record.replace("first") is None
    await _reserve(catalog)
    assert await catalog.bucket_record.replace("second") == "first"
    await catalog.bucket_record.check("second")


async def test_start_with_another_bucket_is_refused(
    engines: EmbeddedEngines, catalog: Catalog, database_url: str, tmp_path: Path
) -> None:
    """The other bucket is not created."""
    await catalog.bucket_record.check("pictures")
    await _reserve(catalog)
    settings = settings_for(engines, tmp_path, database_url=SecretStr(database_url))
    with pytest.raises(SettingsError, match="are in the bucket 'pictures'"):
        await Library.from_settings(settings).start()
    with pytest.raises(SettingsError, match=r"The bucket .missing. can.t be used. .*AccessDenied"):
        await asyncio.to_thread(replace_bucket, settings, "missing")
    with record_server(settings, {}), pytest.raises(SettingsError, match="Stop it and all other"):
        await asyncio.to_thread(replace_bucket, settings, engines.bucket)
    await asyncio.to_thread(replace_bucket, settings, engines.bucket)
    async with Library.from_settings(settings, worker=False).lifespan(None):
        pass


async def test_bucket_without_the_photos_is_refused(
    engines: EmbeddedEngines,
    database_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = settings_for(engines, tmp_path, database_url=SecretStr(database_url))
    library = Library.from_settings(settings, worker=False)
    async with library.lifespan(None):
        await library.add("ann", BytesIO(pictures.jpeg()))
        await asyncio.to_thread(replace_bucket, settings, engines.bucket)
        assert "Photos found there in a sample: 1." in capsys.readouterr().out
        (row,) = await library.backends.catalog.row_scan.page(after="", limit=2)
        await library.backends.bucket.delete([*row.keys])
        with pytest.raises(OperatorError, match=r"1 of 1 .* missing .* add --force"):
            await asyncio.to_thread(replace_bucket, settings, engines.bucket)
        await asyncio.to_thread(replace_bucket, settings, "elsewhere", force=True)
        assert await library.backends.catalog.bucket_record.replace("again") == "elsewhere"


def test_bucket_that_cannot_be_checked_is_refused(tmp_path: Path) -> None:
    """Without an endpoint, an empty store would be started here."""
    settings = Settings(data_dir=tmp_path / "none", database_url=SecretStr("postgresql://a/b"))
    with pytest.raises(SettingsError, match=r"set SAFELIGHT_S3__ENDPOINT_URL .*--force"):
        replace_bucket(settings, "photos")
    assert not settings.data_dir.exists()


def test_command_sets_the_bucket_of_the_embedded_database(
    open_tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = open_tmp_path / "bucket-record"
    settings = Settings(data_dir=folder, s3=S3Settings(bucket="pictures"))
    with pytest.raises(SettingsError, match="There is no database in"):
        replace_bucket(settings, "photos")
    assert not folder.exists()
    copy_engine_data(folder)
    store = folder / "seaweedfs"
    before = sorted(store.rglob("*.dat"))
    with pytest.raises(SettingsError, match=r"no bucket 'phoots'.* correct the name.* --force"):
        replace_bucket(settings, "phoots")
    assert sorted(store.rglob("*.dat")) == before
    replace_bucket(settings, "pictures", force=True)
    assert "photos that are in another one will be missing" in capsys.readouterr().err
    replace_bucket(settings, "safelight")
    output = capsys.readouterr()
    assert "The bucket of this database is safelight (before: pictures)." in output.out
    assert "SAFELIGHT_S3__BUCKET=safelight" in output.err

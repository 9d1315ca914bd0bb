"""The backup and restore commands of docs/backup.md."""

import asyncio
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from safelight import keys
from safelight.engines import EmbeddedEngines, binaries
from safelight.library import Library
from safelight.library.reconcile.findings import Kind, ReconcileOptions
from safelight.models import Photo
from support.app_server import settings_for
from support.reconcile import APPLY, add_photo, keys_of, list_missing, list_objects, reconcile

ROOT = Path(__file__).parents[2]
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", (ROOT / "docs/backup.md").read_text(), re.DOTALL)
    for line in block.splitlines()
]
IN_PLACE = [
    line
    for block in re.findall(
        r"```sh in-place\n(.*?)```", (ROOT / "docs/backup.md").read_text(), re.DOTALL
    )
    for line in block.splitlines()
]
BACKUP, RESTORATION = COMMANDS[:2], COMMANDS[2:]
"""The first command of each handles the catalog, the second the objects."""


@pytest.fixture(scope="module")
def backup_engines(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    """Another store, which holds the backups of objects."""
    embedded = EmbeddedEngines(open_tmp_path / "backup_engines", bucket="backup", postgres=False)
    embedded.start()
    yield embedded
    embedded.stop()


def _bucket(engines: EmbeddedEngines, prefix: str) -> dict[str, str]:
    return {
        f"{prefix}ENDPOINT_URL": engines.s3_endpoint_url,
        f"{prefix}BUCKET": engines.bucket,
        f"{prefix}REGION": engines.region,
        f"{prefix}ACCESS_KEY": engines.s3_access_key,
        f"{prefix}SECRET_KEY": engines.s3_secret_key,
    }


async def _run(command: str, folder: Path, variables: dict[str, str]) -> str:
    programs = binaries.postgres_package() / f"pginstall{binaries.POSTGRES_MAJOR}" / "bin"
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_shell(
        command.replace("deploy/", f"{ROOT / 'deploy'}/"),
        cwd=folder,
        env={"PATH": path, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 180)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_restored_backup_is_complete(
    own_library: Library,
    own_engines: EmbeddedEngines,
    backup_engines: EmbeddedEngines,
    empty_database: str,
    tmp_path: Path,
) -> None:
    assert len(BACKUP) == 2
    assert len(RESTORATION) == 3
    variables = {
        "SAFELIGHT_DATABASE_URL": own_engines.database_url,
        "RESTORED_DATABASE_URL": empty_database,
        **_bucket(own_engines, "SAFELIGHT_S3__"),
        **_bucket(backup_engines, "BACKUP_S3__"),
        **_bucket(own_engines, "RESTORED_S3__"),
    }
    before = [await add_photo(own_library) for _ in range(3)]
    await _run(BACKUP[0], tmp_path, variables)
    unsaved = await add_photo(own_library)
    deleted = before.pop()
    assert "objects copied" in await _run(BACKUP[1], tmp_path, variables)
    await own_library.delete("o", deleted.id)  # the backup still contains it
    assert "0 objects" in await _run(BACKUP[1], tmp_path, variables)

    await own_library.backends.bucket.delete_prefix(keys.PHOTOS)
    for command in RESTORATION:
        await _run(command, tmp_path, variables)
    settings = settings_for(
        own_engines, tmp_path / "restored", database_url=SecretStr(empty_database)
    )
    restored = Library.from_settings(settings, worker=False)
    async with restored.lifespan(None):
        orphans = [(Kind.ORPHAN, key, False) for key in sorted(keys_of(unsaved))]
        look = ReconcileOptions(verify=True, grace=timedelta(0))
        assert await reconcile(restored, look) == orphans
        assert await reconcile(restored, replace(look, apply=True, grace=timedelta(days=1))) == []
        assert await restored.photos("o", [photo.id for photo in before]) == before
        fresh = await add_photo(restored)
        assert fresh.id > unsaved.id
        assert await reconcile(restored, look) == orphans


async def test_older_catalog_overwrites_no_object_and_reuses_no_id(
    own_library: Library, own_engines: EmbeddedEngines, empty_database: str, tmp_path: Path
) -> None:
    variables = {
        "SAFELIGHT_DATABASE_URL": own_engines.database_url,
        "RESTORED_DATABASE_URL": empty_database,
    }
    old = await add_photo(own_library)
    await _run(BACKUP[0], tmp_path, variables)
    newer = [await add_photo(own_library) for _ in range(2)]
    bytes_of = {photo.storage_id: await _original(own_library, photo) for photo in newer}
    await _run(RESTORATION[0], tmp_path, variables)
    await _run(RESTORATION[2], tmp_path, variables)
    settings = settings_for(own_engines, tmp_path / "older", database_url=SecretStr(empty_database))
    restored = Library.from_settings(settings, worker=False)
    async with restored.lifespan(None):
        again = await restored.add("o", io.BytesIO(bytes_of[newer[0].storage_id]))
        assert again.created
        assert again.photo.storage_id not in bytes_of
        assert again.photo.id > newer[-1].id
        plan = ReconcileOptions(apply=True, grace=timedelta(days=1))
        assert await reconcile(restored, plan) == []
        quarantined = await reconcile(restored, plan, later=timedelta(days=2))
        expected = {key for photo in newer for key in keys_of(photo)}
        assert {key for kind, key, _ in quarantined if kind == Kind.ORPHAN} == expected
        assert keys_of(old) <= await list_objects(restored)
    # With the newer catalog in use again, reconciling returns the objects from quarantine.
    assert {kind for kind, _, _ in await reconcile(own_library, APPLY)} >= {Kind.DISPLACED}
    for photo in newer:
        assert await _original(own_library, photo) == bytes_of[photo.storage_id]
    assert await list_missing(own_library) == set()


async def _original(library: Library, photo: Photo) -> bytes:
    data = bytearray()
    await library.backends.bucket.fetch(keys.original(photo.storage_id), data.extend)
    return bytes(data)


async def test_copied_data_directory_is_a_complete_installation(
    open_tmp_path: Path, tmp_path: Path
) -> None:
    folder, copy = open_tmp_path / "to-copy", open_tmp_path / "copied"
    engines = EmbeddedEngines(folder, bucket="safelight")
    engines.start()
    try:
        opened = Library.from_settings(settings_for(engines, tmp_path), worker=False)
        async with opened.lifespan(None):
            photo = await add_photo(opened)
    finally:
        engines.stop()
    await _run(f"cp -a {folder} {copy}", tmp_path, {})
    again = EmbeddedEngines(copy, bucket="safelight")
    again.start()
    try:
        opened = Library.from_settings(settings_for(again, tmp_path), worker=False)
        async with opened.lifespan(None):
            assert await opened.photo("o", photo.id) == photo
            assert await reconcile(opened, ReconcileOptions(verify=True, grace=timedelta(0))) == []
            assert await list_objects(opened) == keys_of(photo)
    finally:
        again.stop()


async def test_catalog_moves_to_another_major_version_of_postgresql(
    open_tmp_path: Path, tmp_path: Path
) -> None:
    folder = open_tmp_path / "moving" / "safelight-data"
    folder.parent.mkdir()
    engines = EmbeddedEngines(folder, bucket="safelight")
    engines.start()
    try:
        opened = Library.from_settings(settings_for(engines, tmp_path), worker=False)
        async with opened.lifespan(None):
            photo = await add_photo(opened)
    finally:
        engines.stop()
    files = Path(json.loads((folder / "postgres.json").read_text())["directory"] or "postgres")
    for command in IN_PLACE:
        adapted = command.replace("safelight-data/postgres/", f"{folder / files}/")
        await _run(adapted, folder.parent, {})
    again = EmbeddedEngines(folder, bucket="safelight")
    again.start()
    try:
        opened = Library.from_settings(settings_for(again, tmp_path), worker=False)
        async with opened.lifespan(None):
            assert await opened.photo("o", photo.id) == photo
            assert await reconcile(opened, ReconcileOptions(verify=True, grace=timedelta(0))) == []
    finally:
        again.stop()

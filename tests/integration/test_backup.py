"""A backup as docs/backup.md has it made, and what a restoration gives back."""

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

from integration.reconciling import APPLY, added, dangling, found, keys_of, stored
from integration.served import settings_for
from safelight import keys
from safelight.engines import EmbeddedEngines, wheels
from safelight.library import Library
from safelight.library.findings import Kind, Plan
from safelight.photo import Photo

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
"""The first command of each is about the catalog, the second about the objects."""


@pytest.fixture(scope="module")
def elsewhere(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    """Where backups of objects are kept: another store."""
    embedded = EmbeddedEngines(open_tmp_path / "elsewhere", bucket="backup", postgres=False)
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
    programs = wheels.postgres_package() / f"pginstall{wheels.POSTGRES_MAJOR}" / "bin"
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_shell(
        command.replace("deploy/", f"{ROOT / 'deploy'}/"),
        cwd=folder,
        env={"PATH": path, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_what_was_backed_up_comes_back_whole(
    own_library: Library,
    own_engines: EmbeddedEngines,
    elsewhere: EmbeddedEngines,
    empty: str,
    tmp_path: Path,
) -> None:
    assert len(BACKUP) == 2
    assert len(RESTORATION) == 3
    variables = {
        "SAFELIGHT_DATABASE_URL": own_engines.database_url,
        "RESTORED_DATABASE_URL": empty,
        **_bucket(own_engines, "SAFELIGHT_S3__"),
        **_bucket(elsewhere, "BACKUP_S3__"),
        **_bucket(own_engines, "RESTORED_S3__"),
    }
    before = [await added(own_library) for _ in range(3)]
    await _run(BACKUP[0], tmp_path, variables)
    meanwhile = await added(own_library)
    deleted = before.pop()
    assert "objects copied" in await _run(BACKUP[1], tmp_path, variables)
    await own_library.delete("o", deleted.id)  # too late for the backup, which has it still
    assert "0 objects" in await _run(BACKUP[1], tmp_path, variables)

    await own_library.parts.storage.delete_prefix(keys.PHOTOS)
    for command in RESTORATION:
        await _run(command, tmp_path, variables)
    settings = settings_for(own_engines, tmp_path / "restored", database_url=SecretStr(empty))
    restored = Library.from_settings(settings, worker=False)
    async with restored.lifespan(None):
        left = [(Kind.UNNAMED, key, False) for key in sorted(keys_of(meanwhile))]
        look = Plan(verify=True, grace=timedelta(0))
        assert await found(restored, look) == left
        assert await found(restored, replace(look, apply=True, grace=timedelta(days=1))) == []
        assert await restored.photos("o", [each.id for each in before]) == before
        fresh = await added(restored)
        assert fresh.id > meanwhile.id
        assert await found(restored, look) == left


async def test_an_older_catalog_overwrites_nothing_and_reuses_nothing(
    own_library: Library, own_engines: EmbeddedEngines, empty: str, tmp_path: Path
) -> None:
    variables = {"SAFELIGHT_DATABASE_URL": own_engines.database_url, "RESTORED_DATABASE_URL": empty}
    old = await added(own_library)
    await _run(BACKUP[0], tmp_path, variables)
    newer = [await added(own_library) for _ in range(2)]
    bytes_of = {photo.name: await _original(own_library, photo) for photo in newer}
    await _run(RESTORATION[0], tmp_path, variables)
    await _run(RESTORATION[2], tmp_path, variables)
    settings = settings_for(own_engines, tmp_path / "older", database_url=SecretStr(empty))
    restored = Library.from_settings(settings, worker=False)
    async with restored.lifespan(None):
        again = await restored.add("o", io.BytesIO(bytes_of[newer[0].name]))
        assert again.created
        assert again.photo.name not in bytes_of
        assert again.photo.id > newer[-1].id
        week = Plan(apply=True, grace=timedelta(days=1))
        assert await found(restored, week) == []
        taken = await found(restored, week, later=timedelta(days=2))
        expected = {key for photo in newer for key in keys_of(photo)}
        assert {key for kind, key, _ in taken if kind == Kind.UNNAMED} == expected
        assert keys_of(old) <= await stored(restored)
    # The newer catalog turns up after all: what its rows name comes back by itself.
    assert {kind for kind, _, _ in await found(own_library, APPLY)} >= {Kind.DISPLACED}
    for photo in newer:
        assert await _original(own_library, photo) == bytes_of[photo.name]
    assert await dangling(own_library) == set()


async def _original(library: Library, photo: Photo) -> bytes:
    read = bytearray()
    await library.parts.storage.fetch(keys.original(photo.name), read.extend)
    return bytes(read)


async def test_a_copied_data_directory_is_the_whole_installation(
    open_tmp_path: Path, tmp_path: Path
) -> None:
    folder, copy = open_tmp_path / "to-copy", open_tmp_path / "copied"
    engines = EmbeddedEngines(folder, bucket="safelight")
    engines.start()
    try:
        opened = Library.from_settings(settings_for(engines, tmp_path), worker=False)
        async with opened.lifespan(None):
            photo = await added(opened)
    finally:
        engines.stop()
    await _run(f"cp -a {folder} {copy}", tmp_path, {})
    again = EmbeddedEngines(copy, bucket="safelight")
    again.start()
    try:
        opened = Library.from_settings(settings_for(again, tmp_path), worker=False)
        async with opened.lifespan(None):
            assert await opened.photo("o", photo.id) == photo
            assert await found(opened, Plan(verify=True, grace=timedelta(0))) == []
            assert await stored(opened) == keys_of(photo)
    finally:
        again.stop()


async def test_a_catalog_moves_to_files_of_another_major_version(
    open_tmp_path: Path, tmp_path: Path
) -> None:
    folder = open_tmp_path / "moving" / "safelight-data"
    folder.parent.mkdir()
    engines = EmbeddedEngines(folder, bucket="safelight")
    engines.start()
    try:
        opened = Library.from_settings(settings_for(engines, tmp_path), worker=False)
        async with opened.lifespan(None):
            photo = await added(opened)
    finally:
        engines.stop()
    files = Path(json.loads((folder / "postgres.json").read_text())["directory"] or "postgres")
    for command in IN_PLACE:
        here = command.replace("safelight-data/postgres/", f"{folder / files}/")
        await _run(here, folder.parent, {})
    again = EmbeddedEngines(folder, bucket="safelight")
    again.start()
    try:
        opened = Library.from_settings(settings_for(again, tmp_path), worker=False)
        async with opened.lifespan(None):
            assert await opened.photo("o", photo.id) == photo
            assert await found(opened, Plan(verify=True, grace=timedelta(0))) == []
    finally:
        again.stop()

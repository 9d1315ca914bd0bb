"""The spool: the SHA-256 of an upload is computed here, of the bytes that are stored."""

import errno
import hashlib
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from safelight import errors
from safelight.library.spool import Spool

DATA = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", max_bytes=2 * len(DATA))


async def test_upload_is_hashed_while_it_arrives(spool: Spool) -> None:
    with spool.file("o") as upload:
        assert await upload.sha256() == hashlib.sha256().hexdigest()
        for start in range(0, len(DATA), 65_537):
            upload.write(memoryview(DATA)[start : start + 65_537])
        assert await upload.sha256() == SHA256


@pytest.mark.parametrize("kind", ["in memory", "named", "unnamed"])
async def test_file_of_a_caller_is_hashed(spool: Spool, tmp_path: Path, kind: str) -> None:
    named = tmp_path / "named"
    named.write_bytes(DATA)
    with tempfile.TemporaryFile() as unnamed, named.open("rb") as opened:
        unnamed.write(DATA)
        files: dict[str, Any] = {"in memory": io.BytesIO(DATA), "named": opened, "unnamed": unnamed}
        async with spool.private_file("o", files[kind], limit=len(DATA)) as upload:
            named.write_bytes(b"changed meanwhile")
            assert (await upload.sha256(), upload.size) == (SHA256, len(DATA))


async def test_copy_to_be_rendered_is_hashed_only_if_asked(spool: Spool) -> None:
    with spool.file("o", hashed=False) as copy:
        copy.write(DATA)
        assert copy.hash is None
        assert await copy.sha256() == SHA256


async def test_spooled_upload_is_used_as_it_is_within_the_limit(spool: Spool) -> None:
    with spool.file("o") as upload:
        upload.write(DATA)
        async with spool.private_file("o", upload, limit=len(DATA)) as same:
            assert same is upload
        with pytest.raises(errors.TooLarge):
            async with spool.private_file("o", upload, limit=len(DATA) - 1):
                pass


def test_owner_leaves_room_to_others(spool: Spool) -> None:
    """The spool has room for twice DATA."""
    part = DATA[: len(DATA) // 10]
    with spool.file("a") as first, spool.file("a") as second, spool.file("b") as other:
        first.write(DATA)
        for _ in range(5):
            second.write(part)
        with pytest.raises(errors.Busy):
            second.write(part)
        for _ in range(3):
            other.write(part)
    assert spool.free_bytes == 2 * len(DATA)
    assert not spool.held_bytes


def test_single_upload_can_use_the_whole_spool(spool: Spool) -> None:
    with spool.file("a") as upload:
        upload.write(DATA)
        upload.write(DATA)
        with spool.file("b") as other, pytest.raises(errors.Busy):
            other.write(b"x")


def test_folder_that_cannot_be_written_is_named_at_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, max_bytes=1)
    spool.require_writable()
    folder.rmdir()
    folder.write_text("in the way")
    with pytest.raises(
        errors.OperatorError, match=rf"{folder}: .*File exists.* SAFELIGHT_DATA_DIR"
    ):
        spool.require_writable()
    with pytest.raises(errors.StorageUnavailable), spool.file("o"):
        pass


def test_only_a_full_disk_is_called_full(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(code: int) -> None:
        def write(*_: object) -> int:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "write", write)

    for code, error in (
        (errno.ENOSPC, errors.StorageFull),
        (errno.EDQUOT, errors.StorageFull),
        (errno.EIO, errors.StorageUnavailable),
        (errno.EROFS, errors.StorageUnavailable),
    ):
        with spool.file("o") as upload:
            fail(code)
            with pytest.raises(error):
                upload.write(DATA)
            with pytest.raises(error):
                spool.check()
        monkeypatch.undo()
    spool.check()

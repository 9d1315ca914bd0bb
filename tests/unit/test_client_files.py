"""Commands read the files that they found, and no other file that took their place."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from safelight.client import files
from safelight.client.files import FileReader, LocalFile, inspect_files, scan_folders

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1" + bytes(100)


class Counter:
    def advance(self, size: int, /) -> None:
        """Ignore the bytes."""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "photo.jpg"
    path.parent.mkdir()
    path.write_bytes(JPEG)
    (tmp_path / "other.jpg").write_bytes(JPEG + b"another person's")
    return path


def _by_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _by_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("../other.jpg")


def _by_another_file(path: Path) -> None:
    path.with_name("draft").write_bytes(JPEG)
    path.with_name("draft").rename(path)


REPLACED = pytest.mark.parametrize("replace", [_by_a_pipe, _by_a_link, _by_another_file])


def _reader(local: LocalFile) -> FileReader:
    stop = threading.Event()
    return FileReader(local.path, local.digest(stop), Counter(), stop)


def test_unchanged_file_is_read(photo: Path) -> None:
    with _reader(LocalFile.from_path(photo, index=0)) as reader:
        assert reader.read() == JPEG


@REPLACED
def test_file_replaced_before_it_is_hashed_is_not_read(
    photo: Path, replace: Callable[[Path], None]
) -> None:
    local = LocalFile.from_path(photo, index=0)
    replace(photo)
    with pytest.raises(OSError, match=r"it changed|not a regular file"):
        local.digest(threading.Event())


@REPLACED
def test_file_replaced_after_it_was_hashed_is_not_sent(
    photo: Path, replace: Callable[[Path], None]
) -> None:
    stop = threading.Event()
    digest = LocalFile.from_path(photo, index=0).digest(stop)
    replace(photo)
    with pytest.raises(OSError, match=r"it changed|not a regular file"):
        FileReader(photo, digest, Counter(), stop)


@pytest.mark.timeout(60)
def test_pipe_that_was_a_file_a_moment_ago_does_not_block(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = photo.stat()
    _by_a_pipe(photo)
    monkeypatch.setattr(Path, "stat", lambda _: before)
    with pytest.raises(OSError, match="not a regular file"):
        LocalFile.from_path(photo, index=0)


def test_links_to_files_are_followed(photo: Path) -> None:
    _by_a_link(photo)
    scan = scan_folders([photo.parent])
    photos, rejected = inspect_files(scan.files, not_links=scan.not_links)
    assert [file.path for file in photos] == [photo]
    assert not rejected
    assert photos[0].size > len(JPEG)


def test_file_that_became_a_link_is_not_followed(photo: Path) -> None:
    scan = scan_folders([photo.parent])
    _by_a_link(photo)
    photos, rejected = inspect_files(scan.files, not_links=scan.not_links)
    assert not photos
    assert isinstance(rejected[0][1], OSError)


def test_folder_that_became_a_link_is_not_followed(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan_entry = files._scan_entry

    def replace_folder(
        entry: os.DirEntry[str], path: Path, scan: files.FolderScan, subfolders: list[Path]
    ) -> None:
        scan_entry(entry, path, scan, subfolders)
        if path == photo.parent:
            path.rename(tmp_path / "away")
            path.symlink_to("away")

    monkeypatch.setattr(files, "_scan_entry", replace_folder)
    scan = scan_folders([tmp_path])
    assert scan.files == [tmp_path / "other.jpg"]
    assert [path for path, _ in scan.unreadable] == [photo.parent]


def test_given_folder_may_be_a_link(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photo.parent)
    assert scan_folders([tmp_path / "link"]).files == [tmp_path / "link" / "photo.jpg"]

"""SeaweedFS stays read-only for up to a minute after a full disk has space again."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from safelight.engines.seaweedfs.disk import DiskSpace


def test_space_is_back_once_after_the_disk_was_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = DiskSpace(tmp_path)
    found = []
    for free in (50, 1, 0, 1, 2, 3, 50, 0, 40):
        fake = SimpleNamespace(f_bavail=free, f_blocks=100)
        monkeypatch.setattr(os, "statvfs", lambda _, fake=fake: fake)
        found.append(space.is_back())
    assert found == [False, False, False, False, True, False, False, False, True]


def test_missing_directory_is_no_full_disk(tmp_path: Path) -> None:
    space = DiskSpace(tmp_path / "missing")
    assert not space.is_back()
    assert not space.is_back()

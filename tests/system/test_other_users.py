"""Root never follows links of another user in a data directory, nor changes their targets."""

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from support.engine_data import copy_engine_data
from support.engine_driver import end_run, query_value, start_run

OTHER_USER = 65534
NAME = pwd.getpwuid(OTHER_USER).pw_name
_READ_AS_OTHER = """
import os, pathlib, sys
from safelight.token_file import read_token
file, uid = pathlib.Path(sys.argv[1]), int(sys.argv[2])
os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
read_token(file)
"""


@pytest.fixture
def theirs(open_tmp_path: Path) -> Path:
    """A data directory of another user."""
    folder = open_tmp_path / "theirs"
    subprocess.run(["rm", "-rf", folder], check=True)
    (folder / "secrets").mkdir(parents=True)
    (folder / "secrets" / "token").write_text("a-token-of-another-user\n")
    subprocess.run(["chmod", "-R", "go=", folder], check=True)
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of root with a file, which nothing may change."""
    folder = tmp_path / "outside"
    folder.mkdir(mode=0o700)
    (folder / "file").write_text("untouched")
    (folder / "file").chmod(0o600)
    return folder


def _chown(path: Path, uid: int) -> None:
    subprocess.run(["chown", "-R", str(uid), path], check=True)


def _safelight(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("safelight"), *arguments],
        env={"SAFELIGHT_DATA_DIR": str(data_dir), "SAFELIGHT_PORT": "1", "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _state(folder: Path) -> list[tuple[str, int, int, int]]:
    paths = [folder, *sorted(folder.rglob("*"))]
    stats = [path.lstat() for path in paths]
    return [
        (str(path), stat.st_uid, stat.st_gid, stat.st_mode)
        for path, stat in zip(paths, stats, strict=True)
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "rotate"),
        ("token", "show"),
        ("serve",),
        ("bucket", "rotate"),
        ("ls",),
    ],
)
def test_root_refuses_a_data_directory_of_another_user(
    theirs: Path, outside: Path, arguments: tuple[str, ...]
) -> None:
    planted = {"directory": str(outside), "user": OTHER_USER}
    (theirs / "postgres.json").write_text(json.dumps(planted))
    for name in ("postgres", "seaweedfs", "logs", "secrets/seaweedfs"):
        (theirs / name).symlink_to(outside)
    for name in ("lock", "ports.json", "secrets/engines.json"):
        (theirs / name).symlink_to(outside / "file")
    _chown(theirs, OTHER_USER)
    before = _state(theirs), _state(outside)
    refused = _safelight(theirs, *arguments)
    assert refused.returncode == 1
    assert f"sudo -u {NAME}" in refused.stderr
    assert f"chown -R 0 {theirs}" in refused.stderr
    assert (_state(theirs), _state(outside)) == before
    assert (outside / "file").read_text() == "untouched"


def test_root_refuses_secrets_of_another_user(theirs: Path, outside: Path) -> None:
    (theirs / "secrets" / "token").unlink()
    (theirs / "secrets" / "token").symlink_to(outside / "file")
    _chown(theirs / "secrets", OTHER_USER)
    before = _state(theirs)
    for command in ("show", "rotate"):
        refused = _safelight(theirs, "token", command)
        assert refused.returncode == 1
        assert f"chown -R 0 {theirs / 'secrets'}" in refused.stderr
    assert _state(theirs) == before
    assert (outside / "file").read_text() == "untouched"


def test_root_does_not_follow_a_link_of_another_user(theirs: Path, outside: Path) -> None:
    link = theirs.with_name("their-link")
    link.symlink_to(outside)
    os.chown(link, OTHER_USER, OTHER_USER, follow_symlinks=False)
    try:
        refused = _safelight(link, "token", "rotate")
    finally:
        link.unlink()
    assert refused.returncode == 1
    assert f"link that belongs to the user {NAME}" in refused.stderr
    assert [path.name for path in outside.iterdir()] == ["file"]


def test_ordinary_user_refuses_a_token_of_root(theirs: Path) -> None:
    file = theirs / "secrets" / "token"
    as_other = [sys.executable, "-c", _READ_AS_OTHER, str(file), str(OTHER_USER)]
    refused = subprocess.run(as_other, capture_output=True, text=True, check=False)
    assert "belongs to the user root" in refused.stderr


def test_root_takes_over_a_data_directory_once_it_is_its_own(open_tmp_path: Path) -> None:
    folder = open_tmp_path / "given"
    copy_engine_data(folder)
    _chown(folder, OTHER_USER)
    refused = start_run(folder)
    end_run(refused)
    assert f"chown -R 0 {folder}" in refused.error
    _chown(folder, 0)
    run = start_run(folder)
    try:
        assert not run.error
        assert query_value(run.report["database_url"], "SELECT 42") == 42
        assert psutil.Process(run.report["pids"]["PostgreSQL"]).uids().effective not in {
            0,
            OTHER_USER,
        }
    finally:
        end_run(run)

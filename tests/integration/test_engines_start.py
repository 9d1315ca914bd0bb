"""Starting the engines: files, permissions and error messages."""

import json
import os
import shutil
import socket
import stat
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from urllib.parse import unquote

import psutil
import pytest

from safelight.engines import EmbeddedEngines
from safelight.engines.seaweedfs import ports
from safelight.errors import EngineError
from support.engine_data import copy_engine_data
from support.engine_driver import Run, end_run, fetch, put, query_value, start_run
from support.network import free_port_for_grpc

AS_ROOT = os.geteuid() == 0


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _sockets(run: Run) -> Path:
    return Path(unquote(run.report["database_url"].rpartition("=")[2]))


@pytest.fixture
def directory(open_tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The data directory of stopped engines."""
    name = "".join(filter(str.isalnum, request.node.name))
    copy_engine_data(open_tmp_path / name[-24:])
    return open_tmp_path / name[-24:]


@pytest.fixture
def run(directory: Path) -> Iterator[Run]:
    running = start_run(directory)
    assert not running.error
    yield running
    end_run(running)


def _directory(run: Run) -> Path:
    return Path(run.report["facts"]["Data"])


def test_secrets_are_private(engines: EmbeddedEngines) -> None:
    secrets = engines.data_dir / "secrets"
    files = [path for path in secrets.rglob("*") if path.is_file()]
    assert len(files) > 15
    assert all(_mode(path) == 0o600 for path in files)
    assert (
        _mode(secrets) == _mode(secrets / "seaweedfs") == _mode(engines.data_dir / "logs") == 0o700
    )


def test_data_directory_is_private(engines: EmbeddedEngines) -> None:
    """For root's, PostgreSQL's user is the only member of the group that may enter."""
    assert _mode(engines.data_dir) == (0o710 if AS_ROOT else 0o700)
    assert engines.data_dir.stat().st_gid != 0 or not AS_ROOT


def test_no_mode_is_changed_above_the_data_directory(tmp_path: Path) -> None:
    above = [tmp_path, *tmp_path.parents]
    before = [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in above]
    engines = EmbeddedEngines(tmp_path / "data", bucket="safelight", storage=False)
    engines.start()
    elsewhere = dict(engines.summary).get("PostgreSQL's files")
    engines.stop()
    shutil.rmtree(elsewhere or tmp_path / "nothing", ignore_errors=True)
    after = [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in above]
    assert after == before


def test_secrets_ports_and_data_stay_the_same(run: Run) -> None:
    query_value(run.report["database_url"], "CREATE TABLE kept AS SELECT 42 AS n")
    put(run, "photos/kept/original", b"kept" * 1000)
    run.stop()
    again = start_run(_directory(run))
    try:
        assert {**again.report, "pids": None} == {**run.report, "pids": None}
        assert query_value(again.report["database_url"], "SELECT n FROM kept") == 42
        assert fetch(again, "photos/kept/original") == b"kept" * 1000
    finally:
        end_run(again)


def test_directory_of_a_version_without_tls_keeps_its_s3_port(directory: Path) -> None:
    note, folder = directory / "ports.json", directory / "secrets" / "seaweedfs"
    before = json.loads(note.read_text())
    del before["s3_tls"]
    note.write_text(json.dumps(before))
    for path in folder.glob("https.*"):
        path.unlink()
    run = start_run(directory)
    try:
        assert not run.error
        after = json.loads(note.read_text())
        assert after["s3"] == before["s3"]
        assert after["s3_tls"] not in before.values()
        assert {path.name for path in folder.glob("https.*")} == {
            "https.crt",
            "https.key",
        }
        put(run, "photos/upgraded/original", b"upgraded" * 1000)
    finally:
        end_run(run)


def test_second_safelight_on_a_directory_is_refused(run: Run) -> None:
    second = start_run(_directory(run))
    assert second.program.wait(120) == 1
    end_run(second)
    assert f"process {run.program.pid}" in second.error
    assert str(_directory(run)) in second.error
    assert query_value(run.report["database_url"], "SELECT 1") == 1


def test_second_start_does_nothing(engines: EmbeddedEngines) -> None:
    before = engines.pids()
    engines.start()
    assert engines.pids() == before


def test_stop_before_start_is_not_an_error(tmp_path: Path) -> None:
    EmbeddedEngines(tmp_path / "data", bucket="safelight").stop()
    assert not (tmp_path / "data").exists()


def test_engines_outlive_the_thread_that_started_them(directory: Path) -> None:
    """A test client starts an app in a thread of its own."""
    engines = EmbeddedEngines(directory, bucket="safelight", storage=False)
    thread = threading.Thread(target=engines.start)
    thread.start()
    thread.join()
    try:
        assert query_value(engines.database_url, "SELECT 1") == 1
    finally:
        engines.stop()


def test_s3_port_in_use_is_reported_with_its_process(run: Run) -> None:
    port = int(run.report["endpoint_url"].rpartition(":")[2])
    run.stop()
    with socket.create_server(("127.0.0.1", port)):
        again = start_run(_directory(run))
        assert again.program.wait(120) == 1
        end_run(again)
    assert f"Port {port} " in again.error
    assert f"process {os.getpid()} (" in again.error


def test_internal_port_in_use_is_replaced_without_loss(run: Run) -> None:
    put(run, "photos/moved/original", b"moved" * 1000)
    note = _directory(run) / "ports.json"
    before = json.loads(note.read_text())
    run.stop()
    taken = [before["master"], before["volume"] + ports.GRPC, before["filer"], before["s3_grpc"]]
    holders = [socket.create_server(("127.0.0.1", port)) for port in taken]
    again = start_run(_directory(run))
    try:
        assert not again.error
        assert fetch(again, "photos/moved/original") == b"moved" * 1000
        put(again, "photos/moved/second", b"second" * 1000)
        assert fetch(again, "photos/moved/second") == b"second" * 1000
        after = json.loads(note.read_text())
        assert after["s3"] == before["s3"]
        assert not set(taken) & set(after.values())
    finally:
        for holder in holders:
            holder.close()
        end_run(again)


def test_usual_ports_are_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        taken, filer = one.getsockname()[1], free_port_for_grpc()
        usual = {**ports.PREFERRED, "s3": taken, "filer": filer}
        monkeypatch.setattr(ports, "PREFERRED", usual)
        chosen = ports.load_or_choose(tmp_path / "ports.json")
    assert chosen.s3 != taken
    assert chosen.filer == filer
    assert ports.load_or_choose(tmp_path / "ports.json") == chosen


def test_ports_of_a_failed_start_are_not_chosen_again(tmp_path: Path) -> None:
    """Another program may take a port briefly, each time that a server needs it."""
    note = tmp_path / "ports.json"
    first = ports.load_or_choose(note)
    second = ports.load_or_choose(note, failed=first)
    assert second.s3 == first.s3
    common = set(asdict(first).values()) & set(asdict(second).values())
    assert common == {first.s3}
    note.unlink()  # as if this start had chosen all of them
    third = ports.load_or_choose(note, failed=second)
    assert not set(asdict(second).values()) & set(asdict(third).values())


def test_a_database_of_another_major_version_is_refused(directory: Path) -> None:
    version = directory / "postgres" / "data" / "PG_VERSION"
    version.write_text("17\n")
    again = start_run(directory)
    end_run(again)
    assert "created by PostgreSQL 17" in again.error
    assert "docs/backup.md" in again.error
    assert version.read_text() == "17\n"
    assert "\n" not in again.error


@pytest.mark.parametrize("name", ["secrets/engines.json", "ports.json", "postgres.json"])
def test_damaged_file_is_reported_and_not_replaced(directory: Path, name: str) -> None:
    path = directory / name
    path.write_text("{")
    again = start_run(directory)
    end_run(again)
    assert str(path) in again.error
    assert path.read_text() == "{"


def test_lost_secrets_are_reported(directory: Path) -> None:
    shutil.rmtree(directory / "secrets")
    again = start_run(directory)
    end_run(again)
    assert "rejects the password" in again.error


def test_directory_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engines = EmbeddedEngines(tmp_path / "file" / "data", bucket="safelight")
    with pytest.raises(EngineError, match="file"):
        engines.start()


@pytest.mark.parametrize("name", ["with space, comma", "with 'quotes\" and %2F?#", "höhle-📷"])
def test_unusual_directory_name_works(open_tmp_path: Path, name: str) -> None:
    engines = EmbeddedEngines(open_tmp_path / name, bucket="safelight")
    engines.start()
    try:
        assert query_value(engines.database_url, "SELECT 1") == 1
        put(engines, "photos/x/original", b"x" * 1000)
    finally:
        engines.stop()


def test_directory_name_too_long_for_a_socket_works(open_tmp_path: Path) -> None:
    directory = open_tmp_path / ("long" * 20) / ("longer" * 20) / "data"
    run = start_run(directory)
    try:
        assert not run.error
        sockets = _sockets(run)
        assert len(str(sockets)) < 100
        assert _mode(sockets) == 0o700
        run.kill()
        run = start_run(directory)
        assert not run.error
        assert not sockets.exists()
        sockets = _sockets(run)
        run.stop()
        assert not sockets.exists()
    finally:
        end_run(run)


def test_either_engine_can_be_left_out(open_tmp_path: Path) -> None:
    engines = EmbeddedEngines(open_tmp_path / "alone", bucket="safelight", postgres=False)
    engines.start()
    try:
        assert set(engines.pids()) == {"SeaweedFS"}
        put(engines, "photos/x/original", b"x" * 1000)
        with pytest.raises(EngineError):
            _ = engines.database_url
    finally:
        engines.stop()


def test_no_setting_of_ours_reaches_the_engines(directory: Path) -> None:
    run = start_run(directory, SAFELIGHT_TOKEN="secret-token", AWS_SESSION_TOKEN="secret")
    try:
        assert not run.error
        for pid in run.pids:
            assert "secret" not in psutil.Process(pid).environ().values()
            assert not any(
                name.startswith(("SAFELIGHT", "AWS")) for name in psutil.Process(pid).environ()
            )
    finally:
        end_run(run)

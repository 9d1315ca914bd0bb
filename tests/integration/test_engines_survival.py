"""The engines outlive nothing and lose nothing: kills of every kind, and the starts after them."""

import asyncio
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from obstore.exceptions import BaseError

from integration.engine_driver import Run, begun, ended, gone, got, put, row, started, until
from processes import named
from safelight.engines import EmbeddedEngines, ports
from safelight.engines.seaweed import Seaweed


@pytest.fixture(scope="module")
def directory(open_tmp_path: Path) -> Path:
    return open_tmp_path / "survival"


@pytest.fixture
def run(directory: Path) -> Iterator[Run]:
    running = started(directory)
    assert not running.error
    yield running
    ended(running)


def _remember(run: Run, name: str) -> None:
    url = run.told["database_url"]
    row(url, "CREATE TABLE IF NOT EXISTS remembered (name text)")
    row(url, f"INSERT INTO remembered VALUES ('{name}')")
    put(run, f"photos/{name}", name.encode() * 1000)


def _remembers(run: Run, name: str) -> bool:
    found = row(run.told["database_url"], f"SELECT name FROM remembered WHERE name = '{name}'")
    return bool(found == name and got(run, f"photos/{name}") == name.encode() * 1000)


@pytest.mark.parametrize("round_", range(3))
def test_after_kill_9_of_the_program_both_end_and_the_next_start_works(
    run: Run, directory: Path, round_: int
) -> None:
    _remember(run, f"program-{round_}")
    run.kill()
    assert until(lambda: all(map(gone, run.pids)))
    again = started(directory)
    try:
        assert not again.error
        assert _remembers(again, f"program-{round_}")
    finally:
        ended(again)


@pytest.mark.parametrize("round_", range(3))
def test_after_kill_9_of_everything_the_next_start_works(
    run: Run, directory: Path, round_: int
) -> None:
    _remember(run, f"everything-{round_}")
    run.kill(*run.pids)
    again = started(directory)
    try:
        assert not again.error
        assert _remembers(again, f"everything-{round_}")
    finally:
        ended(again)


def test_engines_that_outlived_their_program_are_ended_by_the_next_start(
    run: Run, directory: Path
) -> None:
    """A stopped process takes no signal but SIGKILL, and PostgreSQL isn't sent that."""
    os.kill(run.told["pids"]["PostgreSQL"], signal.SIGSTOP)
    run.kill()
    assert not gone(run.told["pids"]["PostgreSQL"])
    again = started(directory)
    try:
        assert not again.error
        assert all(map(gone, run.pids))
    finally:
        ended(again)


def test_a_stranger_with_the_number_of_a_dead_server_is_left_alone(
    run: Run, directory: Path
) -> None:
    run.kill(*run.pids)
    note = directory / "postgres" / "data" / "postmaster.pid"
    assert note.exists()
    stranger = subprocess.Popen(["sleep", "60"], user=note.stat().st_uid)
    lines = note.read_text().splitlines()
    note.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
    again = started(directory)
    try:
        assert not again.error
        assert stranger.poll() is None
    finally:
        ended(again)
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("title", ["PostgreSQL", "SeaweedFS"])
def test_an_engine_that_dies_is_started_again(run: Run, title: str) -> None:
    _remember(run, f"died-{title}")
    os.kill(run.told["pids"][title], signal.SIGKILL)

    def back() -> bool:
        try:
            return _remembers(run, f"died-{title}")
        except (psycopg.Error, BaseError, OSError):
            return False

    assert until(lambda: gone(run.told["pids"][title]))
    assert until(back, 30)


def test_an_engine_that_dies_again_and_again_is_started_again_and_again(run: Run) -> None:
    def running() -> set[int]:
        children = psutil.Process(run.program.pid).children()
        return {child.pid for child in named(children, "postgres", "weed")}

    killed: set[int] = set()
    for _ in range(3):
        assert until(lambda: len(running() - killed) == 2)
        for pid in running() - killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
    assert until(lambda: len(running() - killed) == 2)
    assert run.program.poll() is None


def test_both_end_when_they_are_asked_to(run: Run) -> None:
    run.stop()


def test_a_start_killed_at_any_point_does_not_stop_the_next(open_tmp_path: Path) -> None:
    directory = open_tmp_path / "half-made"
    for tenths in range(2, 22, 2):
        program = begun(directory)
        time.sleep(tenths / 10)
        program.kill()
        program.wait(30)
        assert program.stdout is not None
        program.stdout.close()
    run = started(directory)
    try:
        assert not run.error
        _remember(run, "half-made")
        assert not list((directory / "postgres").glob("half-*"))
    finally:
        ended(run)


async def test_supervising_ends_when_the_engines_are_stopped(open_tmp_path: Path) -> None:
    engines = EmbeddedEngines(open_tmp_path / "supervised", bucket="safelight", storage=False)
    engines.start()
    watch = asyncio.create_task(engines.supervise())
    await asyncio.sleep(0.3)
    await asyncio.to_thread(engines.stop)
    await asyncio.wait_for(watch, 30)


def _is_back(answers: Callable[[], object]) -> bool:
    return until(lambda: bool(answers()), 60)


def _noted(step: Callable[[], object], seen: set[tuple[str, bool]]) -> Callable[[], object]:
    """Note at each call the step's name, and whether it holds the main thread."""

    def noted() -> object:
        seen.add((step.__name__, threading.current_thread() is threading.main_thread()))
        return step()

    return noted


async def test_the_loop_turns_while_an_engine_comes_back(
    open_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = EmbeddedEngines(open_tmp_path / "turning", bucket="safelight")
    engines.start()
    waited: set[tuple[str, bool]] = set()
    for engine in engines._engines():
        for step in (engine.prepare, engine.answers):
            monkeypatch.setattr(engine, step.__name__, _noted(step, waited))
    watch = asyncio.create_task(engines.supervise())
    try:
        for pid in engines.pids().values():
            os.kill(pid, signal.SIGKILL)
        back = (asyncio.to_thread(_is_back, engine.answers) for engine in engines._engines())
        assert await asyncio.gather(*back) == [True, True]
        assert await asyncio.to_thread(row, engines.database_url, "SELECT 1") == 1
    finally:
        watch.cancel()
        engines.stop()
    assert waited == {("prepare", False), ("answers", False)}


async def test_a_store_whose_inner_port_was_taken_while_it_was_dead_comes_back_at_another(
    open_tmp_path: Path,
) -> None:
    """It never did: the ports were looked at when the program started, and not again."""
    engines = EmbeddedEngines(open_tmp_path / "taken", bucket="safelight", postgres=False)
    engines.start()
    seaweed = engines._seaweed
    assert seaweed is not None
    endpoint, before = seaweed.endpoint_url, seaweed.ports
    os.kill(engines.pids()["SeaweedFS"], signal.SIGKILL)
    engines._children["SeaweedFS"].wait(30)
    with socket.create_server(("127.0.0.1", before.filer)):
        watch = asyncio.create_task(engines.supervise())
        try:
            for _ in range(200):
                await asyncio.sleep(0.1)
                if await asyncio.to_thread(seaweed.answers):
                    break
            assert await asyncio.to_thread(seaweed.answers)
        finally:
            watch.cancel()
            engines.stop()
    assert seaweed.endpoint_url == endpoint
    assert seaweed.ports.filer != before.filer


async def test_a_store_that_hangs_while_it_starts_is_started_again(
    open_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first start as well as when it comes back."""
    monkeypatch.setattr(Seaweed, "patience", (0.5, 30.0))
    spawn, to_hang, hung = Seaweed.spawn, [True], list[int]()

    def hanging(seaweed: Seaweed) -> subprocess.Popen[bytes]:
        child = spawn(seaweed)
        if to_hang:
            to_hang.pop()
            os.kill(child.pid, signal.SIGSTOP)
            hung.append(child.pid)
        return child

    monkeypatch.setattr(Seaweed, "spawn", hanging)
    engines = EmbeddedEngines(open_tmp_path / "hanging", bucket="safelight", postgres=False)
    engines.start()
    to_hang.append(True)
    watch = asyncio.create_task(engines.supervise())
    try:
        os.kill(engines.pids()["SeaweedFS"], signal.SIGKILL)
        assert await asyncio.to_thread(until, lambda: len(hung) == 2)
        assert engines._seaweed is not None
        assert await asyncio.to_thread(_is_back, engines._seaweed.answers)
    finally:
        watch.cancel()
        engines.stop()
    assert all(map(gone, hung))


def test_a_store_that_moved_to_ports_that_nobody_knows_is_started_again(
    open_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SeaweedFS does that by itself, when the port of a part's gRPC is taken at the last moment."""
    spawn, taken = Seaweed.spawn, list[socket.socket]()

    def late(seaweed: Seaweed) -> subprocess.Popen[bytes]:
        if not taken:
            port = seaweed.ports.master + ports.GRPC
            taken.append(socket.create_server(("127.0.0.1", port)))
        return spawn(seaweed)

    monkeypatch.setattr(Seaweed, "spawn", late)
    engines = EmbeddedEngines(open_tmp_path / "moved", bucket="safelight", postgres=False)
    engines.start()
    try:
        assert engines._seaweed is not None
        assert engines._seaweed.ports.master + ports.GRPC != taken[0].getsockname()[1]
        assert '"fsync":  true' in engines._seaweed.shell("fs.configure")
    finally:
        engines.stop()
        taken[0].close()

"""Killed engines and programs: nothing is left running, and nothing is lost."""

import asyncio
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest
from obstore.exceptions import BaseError

from safelight.engines import EmbeddedEngines
from safelight.engines.seaweedfs import ports, server
from safelight.engines.seaweedfs.server import Seaweed
from support.engine_data import copy_engine_data
from support.engine_driver import (
    Run,
    end_run,
    fetch,
    has_ended,
    put,
    query_value,
    spawn_run,
    start_run,
    wait_until,
)
from support.processes import named


@pytest.fixture(scope="module")
def directory(open_tmp_path: Path) -> Path:
    copy_engine_data(open_tmp_path / "survival")
    return open_tmp_path / "survival"


@pytest.fixture
def run(directory: Path) -> Iterator[Run]:
    running = start_run(directory)
    assert not running.error
    yield running
    end_run(running)


def _remember(run: Run, name: str) -> None:
    url = run.report["database_url"]
    query_value(url, "CREATE TABLE IF NOT EXISTS remembered (name text)")
    query_value(url, f"INSERT INTO remembered VALUES ('{name}')")
    put(run, f"photos/{name}", name.encode() * 1000)


def _remembers(run: Run, name: str) -> bool:
    found = query_value(
        run.report["database_url"], f"SELECT name FROM remembered WHERE name = '{name}'"
    )
    return bool(found == name and fetch(run, f"photos/{name}") == name.encode() * 1000)


def test_after_kill_9_of_the_program_both_end_and_the_next_start_works(
    run: Run, directory: Path
) -> None:
    _remember(run, "program")
    run.kill()
    assert wait_until(lambda: all(map(has_ended, run.pids)))
    again = start_run(directory)
    try:
        assert not again.error
        assert _remembers(again, "program")
    finally:
        end_run(again)


def test_after_kill_9_of_everything_the_next_start_works(run: Run, directory: Path) -> None:
    _remember(run, "everything")
    run.kill(*run.pids)
    again = start_run(directory)
    try:
        assert not again.error
        assert _remembers(again, "everything")
    finally:
        end_run(again)


def test_next_start_stops_orphaned_engines(run: Run, directory: Path) -> None:
    """A suspended process reacts only to SIGKILL, which PostgreSQL isn't sent."""
    os.kill(run.report["pids"]["PostgreSQL"], signal.SIGSTOP)
    run.kill()
    assert not has_ended(run.report["pids"]["PostgreSQL"])
    again = start_run(directory)
    try:
        assert not again.error
        assert all(map(has_ended, run.pids))
    finally:
        end_run(again)


def test_process_with_a_reused_id_is_left_alone(run: Run, directory: Path) -> None:
    run.kill(*run.pids)
    note = directory / "postgres" / "data" / "postmaster.pid"
    assert note.exists()
    unrelated = subprocess.Popen(["sleep", "60"], user=note.stat().st_uid)
    lines = note.read_text().splitlines()
    note.write_text("\n".join([str(unrelated.pid), *lines[1:]]) + "\n")
    again = start_run(directory)
    try:
        assert not again.error
        assert unrelated.poll() is None
    finally:
        end_run(again)
        unrelated.kill()
        unrelated.wait()


@pytest.mark.parametrize("title", ["PostgreSQL", "SeaweedFS"])
def test_engine_that_dies_is_restarted(run: Run, title: str) -> None:
    _remember(run, f"died-{title}")
    os.kill(run.report["pids"][title], signal.SIGKILL)

    def back() -> bool:
        try:
            return _remembers(run, f"died-{title}")
        except (psycopg.Error, BaseError, OSError):
            return False

    assert wait_until(lambda: has_ended(run.report["pids"][title]))
    assert wait_until(back)


def test_engine_that_keeps_dying_is_restarted_each_time(run: Run) -> None:
    def running() -> set[int]:
        children = psutil.Process(run.program.pid).children()
        return {child.pid for child in named(children, "postgres", "weed")}

    killed: set[int] = set()
    for _ in range(3):
        assert wait_until(lambda: len(running() - killed) == 2)
        for pid in running() - killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
    assert wait_until(lambda: len(running() - killed) == 2)
    assert run.program.poll() is None


def test_both_engines_stop(run: Run) -> None:
    run.stop()


def test_start_works_after_one_killed_at_any_point(open_tmp_path: Path) -> None:
    directory = open_tmp_path / "half-made"
    for tenths in range(2, 22, 4):
        program = spawn_run(directory)
        time.sleep(tenths / 10)
        program.kill()
        program.wait(120)
        assert program.stdout is not None
        program.stdout.close()
    run = start_run(directory)
    try:
        assert not run.error
        _remember(run, "half-made")
        assert not list((directory / "postgres").glob("half-*"))
    finally:
        end_run(run)


async def test_supervision_ends_when_the_engines_are_stopped(open_tmp_path: Path) -> None:
    engines = EmbeddedEngines(open_tmp_path / "supervised", bucket="safelight", storage=False)
    engines.start()
    watch = asyncio.create_task(engines.supervise())
    await asyncio.sleep(0.3)
    await asyncio.to_thread(engines.stop)
    await asyncio.wait_for(watch, 120)


def _is_back(answers: Callable[[], object]) -> bool:
    return wait_until(lambda: bool(answers()), 180)


def _recorded(step: Callable[[], object], seen: set[tuple[str, bool]]) -> Callable[[], object]:
    """Record for each call the step's name, and whether it runs in the main thread."""

    def recorded() -> object:
        seen.add((step.__name__, threading.current_thread() is threading.main_thread()))
        return step()

    return recorded


async def test_restart_does_not_block_the_loop(
    open_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_engine_data(open_tmp_path / "turning")
    engines = EmbeddedEngines(open_tmp_path / "turning", bucket="safelight")
    engines.start()
    waited: set[tuple[str, bool]] = set()
    for engine in engines._engines():
        for step in (engine.prepare, engine.is_ready):
            monkeypatch.setattr(engine, step.__name__, _recorded(step, waited))
    watch = asyncio.create_task(engines.supervise())
    try:
        for pid in engines.pids().values():
            os.kill(pid, signal.SIGKILL)
        back = (asyncio.to_thread(_is_back, engine.is_ready) for engine in engines._engines())
        assert await asyncio.gather(*back) == [True, True]
        assert await asyncio.to_thread(query_value, engines.database_url, "SELECT 1") == 1
    finally:
        watch.cancel()
        engines.stop()
    assert waited == {("prepare", False), ("is_ready", False)}


async def test_store_restarts_on_another_internal_port(
    open_tmp_path: Path,
) -> None:
    """Ports were once chosen only at the start of the program, so this failed."""
    engines = EmbeddedEngines(open_tmp_path / "taken", bucket="safelight", postgres=False)
    engines.start()
    seaweed = engines._seaweed
    assert seaweed is not None
    endpoint, before = seaweed.endpoint_url, seaweed.ports
    os.kill(engines.pids()["SeaweedFS"], signal.SIGKILL)
    engines._children["SeaweedFS"].wait(120)
    with socket.create_server(("127.0.0.1", before.filer)):
        watch = asyncio.create_task(engines.supervise())
        try:
            assert await asyncio.to_thread(_is_back, seaweed.is_ready)
        finally:
            watch.cancel()
            engines.stop()
    assert seaweed.endpoint_url == endpoint
    assert seaweed.ports.filer != before.filer


async def test_store_that_hangs_during_start_is_restarted(
    open_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both at the first start and at a restart."""
    monkeypatch.setattr(Seaweed, "start_limits", (0.5, 30.0))
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
        assert await asyncio.to_thread(wait_until, lambda: len(hung) == 2)
        assert engines._seaweed is not None
        assert await asyncio.to_thread(_is_back, engines._seaweed.is_ready)
    finally:
        watch.cancel()
        engines.stop()
    assert all(map(has_ended, hung))


def test_store_on_unexpected_ports_is_restarted(
    open_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SeaweedFS chooses other ports itself when another program takes a gRPC port at its start."""
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


def test_store_that_refuses_synced_writes_is_restarted_on_other_ports(
    open_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its components may share a port with another server that started at the same moment."""
    is_ready, refusing = Seaweed.is_ready, list[int]()
    accepted = list[int]()

    def refuse(seaweed: Seaweed) -> bool:
        if seaweed._pid in refusing:
            monkeypatch.setattr(server, "_SYNCED_WRITE_SECONDS", 60)  # for the next one
            return False
        ready = is_ready(seaweed)  # once: it may become ready between two calls
        if ready and not accepted:
            monkeypatch.setattr(server, "_SYNCED_WRITE_SECONDS", 0.2)
            accepted.append(seaweed.ports.volume)
            refusing.append(seaweed._pid)
        return ready

    monkeypatch.setattr(Seaweed, "is_ready", refuse)
    engines = EmbeddedEngines(open_tmp_path / "refusing", bucket="safelight", postgres=False)
    engines.start()
    try:
        assert engines._seaweed is not None
        (refused,) = accepted
        assert engines._seaweed.ports.volume != refused
        assert wait_until(partial(is_ready, engines._seaweed))
    finally:
        engines.stop()

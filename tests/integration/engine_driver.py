"""What the tests of the engines do to them: run them in a program of their own, ask, and kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import psycopg
from obstore.store import S3Store

from safelight.engines import EmbeddedEngines

_PROGRAM = Path(__file__).with_name("run_engines.py")


def until(holds: Callable[[], object], seconds: float = 30) -> bool:
    """Wait for something to hold; whether it came to."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


def gone(pid: int) -> bool:
    """Whether a process is no more, or is only waiting to be noticed."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the engines: the program that holds them, and what it told of them."""

    program: subprocess.Popen[str]
    told: Mapping[str, Any]

    @property
    def error(self) -> str:
        return str(self.told.get("error", ""))

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(self.told["pids"].values())

    def kill(self, *others: int) -> None:
        """`kill -9` the program and the others at once."""
        for pid in (self.program.pid, *others):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.program.wait(30)
        self._close()

    def stop(self) -> None:
        """Ask it to end, and wait until all its processes are gone."""
        self.program.send_signal(signal.SIGTERM)
        assert self.program.wait(30) == 0
        assert until(lambda: all(map(gone, self.pids)))
        self._close()

    def _close(self) -> None:
        assert self.program.stdout is not None
        self.program.stdout.close()


def begun(
    directory: Path, *, python: str = sys.executable, **environ: str
) -> subprocess.Popen[str]:
    """Start the program and don't wait for it."""
    return subprocess.Popen(
        [python, str(_PROGRAM), str(directory)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )


def started(directory: Path, **options: str) -> Run:
    """Start the program and wait until it tells what became of it."""
    program = begun(directory, **options)
    assert program.stdout is not None
    line = program.stdout.readline()
    return Run(program, json.loads(line or '{"error": "it ended without a word"}'))


def ended(run: Run) -> None:
    """End a run in whatever state a test left it."""
    if run.program.poll() is None:
        run.program.terminate()
        run.program.wait(30)
    assert run.program.stdout is not None
    run.program.stdout.close()


def store(url: str, access_key: str, secret_key: str) -> S3Store:
    return S3Store(
        "safelight",
        endpoint=url,
        region="us-east-1",
        access_key_id=access_key,
        secret_access_key=secret_key,
        client_options={"allow_http": True, "timeout": "5s"},
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=5)},
    )


def store_of(engines: EmbeddedEngines | Run) -> S3Store:
    """The bucket of engines that run."""
    if isinstance(engines, Run):
        told = engines.told
        return store(told["endpoint_url"], told["access_key"], told["secret_key"])
    return store(engines.s3_endpoint_url, engines.s3_access_key, engines.s3_secret_key)


def put(engines: EmbeddedEngines | Run, key: str, data: bytes) -> None:
    obstore.put(store_of(engines), key, data, use_multipart=False)


def got(engines: EmbeddedEngines | Run, key: str) -> bytes:
    return bytes(obstore.get(store_of(engines), key).bytes())


def row(url: str, statement: str) -> Any:  # noqa: ANN401  whatever the statement answers
    """Execute it; the first column of the first row, if there is one."""
    with psycopg.connect(url, autocommit=True, connect_timeout=3) as connection:
        cursor = connection.execute(statement.encode())
        first = cursor.fetchone() if cursor.description else None
        return first and first[0]

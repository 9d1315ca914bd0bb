"""Run engines in a separate program, use them, and kill them."""

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


def wait_until(condition: Callable[[], object], seconds: float = 120) -> bool:
    """Wait for a condition, and return whether it became true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def has_ended(pid: int) -> bool:
    """Return whether a process has ended, even if it was not reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the engines: the program that started them, and its report about them."""

    program: subprocess.Popen[bytes]
    report: Mapping[str, Any]

    @property
    def error(self) -> str:
        return str(self.report.get("error", ""))

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(self.report.get("pids", {}).values())

    def kill(self, *others: int) -> None:
        """Kill the program and the other processes with SIGKILL."""
        for pid in (*others, self.program.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.program.wait(120)
        self._close()

    def stop(self) -> None:
        """Stop the program, and wait until all its processes have ended."""
        self.program.send_signal(signal.SIGTERM)
        assert self.program.wait(120) == 0
        assert wait_until(lambda: all(map(has_ended, self.pids)))
        self._close()

    def _close(self) -> None:
        assert self.program.stdout is not None
        self.program.stdout.close()


def spawn_run(
    directory: Path, *, python: str = sys.executable, **environ: str
) -> subprocess.Popen[bytes]:
    """Start the program without waiting for it."""
    return subprocess.Popen(
        [python, str(_PROGRAM), str(directory)],
        stdout=subprocess.PIPE,
        env={**os.environ, **environ},
    )


def start_run(directory: Path, **options: str) -> Run:
    """Start the program and wait for its report."""
    program = spawn_run(directory, **options)
    assert program.stdout is not None
    line = program.stdout.readline()
    return Run(program, json.loads(line or b'{"error": "it ended without a report"}'))


def end_run(run: Run) -> None:
    """Kill a run in any state, and wait for its engines, which end with it."""
    if run.program.poll() is None:
        run.program.kill()
        run.program.wait(120)
        assert wait_until(lambda: all(map(has_ended, run.pids)))
    assert run.program.stdout is not None
    run.program.stdout.close()


def store(url: str, access_key: str, secret_key: str) -> S3Store:
    return S3Store(
        "safelight",
        endpoint=url,
        region="us-east-1",
        access_key_id=access_key,
        secret_access_key=secret_key,
        client_options={"allow_http": True, "timeout": "60s"},
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=60)},
    )


def store_of(engines: EmbeddedEngines | Run) -> S3Store:
    """Return the bucket of running engines."""
    if isinstance(engines, Run):
        report = engines.report
        return store(report["endpoint_url"], report["access_key"], report["secret_key"])
    return store(engines.s3_endpoint_url, engines.s3_access_key, engines.s3_secret_key)


def put(engines: EmbeddedEngines | Run, key: str, data: bytes) -> None:
    obstore.put(store_of(engines), key, data, use_multipart=False)


def fetch(engines: EmbeddedEngines | Run, key: str) -> bytes:
    return bytes(obstore.get(store_of(engines), key).bytes())


def query_value(url: str, statement: str) -> Any:
    """Execute a statement; return the first column of the first row, if there is one."""
    with psycopg.connect(url, autocommit=True, connect_timeout=60) as connection:
        cursor = connection.execute(statement.encode())
        first = cursor.fetchone() if cursor.description else None
        return first and first[0]

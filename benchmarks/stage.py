"""Run engines in a temporary folder and servers on them, and measure their CPU and memory."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil

import catalogs
from safelight.engines import EmbeddedEngines, secrets

HERE = Path(__file__).parent
TOKEN = "a-token-for-the-benchmark"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
PAGE = "/api/photos"
_START_SECONDS = 20
_STOP_SECONDS = 15
_INTERVAL, _IDLE_SAMPLES = 0.5, 4
"""Seconds between two samples of a server's CPU time, and how many of them must be idle."""
_IDLE_CPU = 0.02
"""Seconds of CPU time per sample, below which a server counts as idle."""
MiB = 1024 * 1024


class Server:
    """A server process on a free port of loopback."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.port = port
        self._log = log
        self.pid = process.pid
        self._process = process
        self._watched = psutil.Process(process.pid)

    def wait(self, path: str) -> None:
        """Return once it answers 200."""
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://localhost:{self.port}{path}", timeout=5),
            ):
                return
            time.sleep(0.05)
        raise SystemExit(f"{self._process.args!r} does not answer:\n{self._log.read_text()}")

    def cpu(self) -> float:
        """Return the CPU seconds of the process alone."""
        times = self._watched.cpu_times()
        return times.user + times.system

    def cpu_of_children(self) -> float:
        """Return the CPU seconds of its descendants, including ended ones."""
        ended = self._watched.cpu_times()
        total = ended.children_user + ended.children_system
        for child in self._watched.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def rss(self) -> int:
        """Return the current memory (RSS) of the process in bytes."""
        return int(self._watched.memory_info().rss)

    def reset_peak(self) -> None:
        """Reset the peak of the memory (proc_pid_clear_refs(5))."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak(self) -> int:
        """Return the peak memory of the process in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(
            int(line.split()[1]) * 1024 for line in status.splitlines() if line[:6] == "VmHWM:"
        )

    def pss(self) -> dict[str, int]:
        """Return the memory (PSS) in bytes of the process and its descendants, by program."""
        found: dict[str, int] = {}
        for process in (self._watched, *self._watched.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, OSError):
                name = "web" if process.pid == self.pid else process.name()
                found[name] = found.get(name, 0) + pss_of(process.pid)
        return found

    def settle(self) -> float:
        """Wait until its descendants are idle, and return the seconds that took."""
        started_at, idle = time.perf_counter(), 0
        while idle < _IDLE_SAMPLES:
            before = self.cpu_of_children()
            time.sleep(_INTERVAL)
            idle = idle + 1 if self.cpu_of_children() - before < _IDLE_CPU else 0
        return time.perf_counter() - started_at - idle * _INTERVAL

    def stop(self) -> None:
        """Stop it gracefully."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def pss_of(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database of the embedded PostgreSQL."""

    url: str


class Stage:
    """Embedded engines and the servers on them, until the context of `stage` ends."""

    def __init__(self, folder: Path, engines: EmbeddedEngines, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._engines = engines
        self._stack = stack

    def database(self, name: str) -> Database:
        """Create a database."""
        keys = secrets.load_or_create(self._engines.data_dir / "secrets")
        url = urlsplit(self._engines.database_url)
        superuser = f"postgres:{keys.postgres_superuser_password}@"
        catalogs.make_database(
            urlunsplit(url._replace(netloc=superuser, path="/postgres")), name, url.username or ""
        )
        return Database(url=urlunsplit(url._replace(path=f"/{name}")))

    def ours(
        self,
        database: Database,
        *,
        worker: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> Server:
        """Run `safelight serve` with a database, as users do, and with more settings."""
        port = free_port()
        server = self._start(
            [
                str(Path(sys.executable).parent / "safelight"),
                "serve",
                *([] if worker else ["--no-worker"]),
            ],
            port,
            {
                "SAFELIGHT_PORT": str(port),
                "SAFELIGHT_TOKEN": TOKEN,
                "SAFELIGHT_DATA_DIR": str(self.folder / f"ours-{port}"),
                "SAFELIGHT_DATABASE_URL": database.url,
                "SAFELIGHT_S3__ENDPOINT_URL": self._engines.s3_endpoint_url,
                "SAFELIGHT_S3__ACCESS_KEY": self._engines.s3_access_key,
                "SAFELIGHT_S3__SECRET_KEY": self._engines.s3_secret_key,
                **(settings or {}),
            },
        )
        server.wait("/readyz")
        return server

    def serve_unconfigured(self, data_dir: Path) -> Server:
        """Run `safelight serve` unconfigured, with its own engines, like `make run`."""
        port = free_port()
        environment = {
            "SAFELIGHT_PORT": str(port),
            "SAFELIGHT_TOKEN": TOKEN,
            "SAFELIGHT_DATA_DIR": str(data_dir),
        }
        program = str(Path(sys.executable).parent / "safelight")
        server = self._start([program, "serve"], port, environment)
        server.wait("/readyz")
        return server

    def tutorial(self, database: Database) -> Server:
        """Run the tutorial's app with a database, on uvicorn."""
        port = free_port()
        server = self._start(
            [sys.executable, "-m", "uvicorn", "tutorial:app", "--port", str(port)],
            port,
            {
                "DATABASE_URL": database.url.replace("postgresql://", "postgresql+psycopg://"),
                "S3_ENDPOINT_URL": self._engines.s3_endpoint_url,
                "S3_BUCKET": self._engines.bucket,
                "S3_ACCESS_KEY": self._engines.s3_access_key,
                "S3_SECRET_KEY": self._engines.s3_secret_key,
            },
        )
        server.wait("/openapi.json")
        return server

    def _start(self, command: list[str], port: int, environment: dict[str, str]) -> Server:
        inherited = {
            name: os.environ[name]
            for name in ("PATH", "HOME", "LANG", "PYTHONPATH")
            if name in os.environ
        }
        log = self.folder / f"{port}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command,
                cwd=HERE,
                env={**inherited, **environment},
                stdout=stream,
                stderr=stream,
                start_new_session=True,  # Otherwise it shares CPU time with the readers.
            )
        server = Server(process, port, log)
        self._stack.callback(server.stop)
        return server


@contextmanager
def stage() -> Iterator[Stage]:
    """Start the engines in a temporary folder, and delete it afterwards."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="safelight-bench-")))
        # If root starts PostgreSQL, it runs as another user, who must reach its files.
        folder.chmod(0o711)
        engines = EmbeddedEngines(folder / "engines", bucket="safelight")
        stack.callback(engines.stop)
        engines.start()
        yield Stage(folder, engines, stack)


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def run_in_process(script: ModuleType, task: Any) -> dict[str, Any]:
    """Run `readers`, `paced` or `senders` in a separate process."""
    done = subprocess.run(
        [sys.executable, str(script.__file__)],
        input=json.dumps(asdict(task)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome

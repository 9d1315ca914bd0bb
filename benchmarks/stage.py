"""The stage: engines in a temporary folder, servers as processes of their own, and their costs."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil

import catalogs
from safelight.engines import EmbeddedEngines, credentials

HERE = Path(__file__).parent
TOKEN = "a-token-for-the-benchmark"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
PAGE = "/api/photos"
_PATIENCE = 20
_STOPPING = 15
_LOOK, _QUIET = 0.5, 4
"""Seconds between two looks at whether a server works, and how many it has to be found idle."""
_SOME_WORK = 0.02
"""Seconds of CPU between two looks."""
MiB = 1024 * 1024


class Server:
    """A server's process, on a free port of loopback."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.port = port
        self._log = log
        self.pid = process.pid
        self._process = process
        self._watched = psutil.Process(process.pid)

    def wait(self, path: str) -> None:
        """Return once it answers 200."""
        end = time.monotonic() + _PATIENCE
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
        """Seconds of CPU that the process itself has used."""
        times = self._watched.cpu_times()
        return times.user + times.system

    def cpu_of_children(self) -> float:
        """Seconds of CPU that its children have used, those that ended as well."""
        ended = self._watched.cpu_times()
        total = ended.children_user + ended.children_system
        for child in self._watched.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def rss(self) -> int:
        """Bytes of memory that the process has now."""
        return int(self._watched.memory_info().rss)

    def forget_peak(self) -> None:
        """Begin to look for the peak anew (proc_pid_clear_refs(5))."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak(self) -> int:
        """Bytes of memory that the process had at the most."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(
            int(line.split()[1]) * 1024 for line in status.splitlines() if line[:6] == "VmHWM:"
        )

    def pss(self) -> dict[str, int]:
        """Bytes of the process and all its children, shared pages divided, by what they are."""
        found: dict[str, int] = {}
        for process in (self._watched, *self._watched.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, OSError):
                name = "web" if process.pid == self.pid else process.name()
                found[name] = found.get(name, 0) + pss_of(process.pid)
        return found

    def settle(self) -> float:
        """Wait until none of its children works any more; give the seconds until then."""
        began, quiet = time.perf_counter(), 0
        while quiet < _QUIET:
            before = self.cpu_of_children()
            time.sleep(_LOOK)
            quiet = quiet + 1 if self.cpu_of_children() - before < _SOME_WORK else 0
        return time.perf_counter() - began - quiet * _LOOK

    def stop(self) -> None:
        """End it in good order."""
        self._process.terminate()
        try:
            self._process.wait(_STOPPING)
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
    """Embedded engines, and what runs on them. Everything ends with the context of `stage`."""

    def __init__(self, folder: Path, engines: EmbeddedEngines, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._engines = engines
        self._stack = stack

    def database(self, name: str) -> Database:
        """Make a database."""
        keys = credentials.kept(self._engines.data_dir / "secrets")
        url = urlsplit(self._engines.database_url)
        superuser = f"postgres:{keys.postgres_superuser_password}@"
        catalogs.make_database(
            urlunsplit(url._replace(netloc=superuser, path="/postgres")), name, url.username or ""
        )
        return Database(url=urlunsplit(url._replace(path=f"/{name}")))

    def ours(self, database: Database, *, worker: bool = True) -> Server:
        """Serve a database by `safelight serve`, exactly as users do."""
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
            },
        )
        server.wait("/readyz")
        return server

    def alone(self, data_dir: Path) -> Server:
        """Run `safelight serve` with nothing configured: engines of its own, as `make run`."""
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
        """Serve a database by the tutorial's app, by uvicorn as it comes with FastAPI."""
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
        kept = {
            name: os.environ[name]
            for name in ("PATH", "HOME", "LANG", "PYTHONPATH")
            if name in os.environ
        }
        log = self.folder / f"{port}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command,
                cwd=HERE,
                env={**kept, **environment},
                stdout=stream,
                stderr=stream,
                start_new_session=True,  # Else it shares its readers' part of the processors.
            )
        server = Server(process, port, log)
        self._stack.callback(server.stop)
        return server


@contextmanager
def stage() -> Iterator[Stage]:
    """Start the engines in a temporary folder that is gone afterwards."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="safelight-bench-")))
        # PostgreSQL, started by root, runs as somebody else and has to reach its files.
        folder.chmod(0o711)
        engines = EmbeddedEngines(folder / "engines", bucket="safelight")
        stack.callback(engines.stop)
        engines.start()
        yield Stage(folder, engines, stack)


def free_port() -> int:
    """Find a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def in_a_process(script: ModuleType, task: Any) -> dict[str, Any]:  # noqa: ANN401  a dataclass
    """Run `readers` or `senders` in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(script.__file__)],
        input=json.dumps(asdict(task)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome

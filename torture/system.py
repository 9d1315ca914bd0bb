"""The system under test: both engines, a server and a worker, each restarted when it dies."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from pydantic import SecretStr

from safelight.engines import EmbeddedEngines
from safelight.settings import S3Settings, Settings
from support.fork_server import Process, start_command
from support.network import free_port

TOKEN = "the-token-of-the-test"
_DECODER = "safelight.darkroom.child"
_PAUSE = 0.3


@dataclass
class Program:
    """A command that is restarted whenever it ends, as by systemd."""

    name: str
    arguments: list[str]
    environ: dict[str, str]
    log: Path
    process: Process | None = None
    starts: int = 0
    _log_start: int = field(default=0)
    _stopped: bool = False

    async def supervise(self) -> None:
        """Restart it until it is stopped."""
        while not self._stopped:
            if self.process is None or self.process.poll() is not None:
                self._start()
            await asyncio.sleep(_PAUSE)

    def _start(self) -> None:
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = start_command(
                self.arguments,
                env={"PATH": os.environ["PATH"], **self.environ},
                stdout=log.fileno(),
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.starts += 1

    def output(self) -> str:
        """Return its output since the last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    @property
    def pid(self) -> int | None:
        if self.process is None or self.process.poll() is not None:
            return None
        return self.process.pid

    def decoders(self) -> list[psutil.Process]:
        """Return its decoder processes."""
        if self.pid is None:
            return []
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(self.pid).children(recursive=True)
            return [child for child in children if _DECODER in _command(child)]
        return []

    async def stop(self) -> None:
        """Stop it as an operator would."""
        self._stopped = True
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.to_thread(self.process.wait, 20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def _command(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


class System:
    """A server, a worker and the engines that they share. `url` is the server's."""

    def __init__(self, engines: EmbeddedEngines, folder: Path) -> None:
        self.engines = engines
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database_url = engines.database_url
        self.endpoint_url = engines.s3_tls_endpoint_url
        self.server = self._program("server", "serve", "--no-worker")
        self.worker = self._program("worker", "worker")

    def use_engine_urls(self, *, database_url: str, endpoint_url: str) -> None:
        """Let server and worker use these URLs of the engines. Call it before they start."""
        self.database_url, self.endpoint_url = database_url, endpoint_url
        for program in (self.server, self.worker):
            program.environ |= self.environ(program.name)

    def _program(self, name: str, *arguments: str) -> Program:
        log = self.folder / f"{name}.log"
        return Program(name, list(arguments), self.environ(name), log)

    def environ(self, name: str) -> dict[str, str]:
        """Return the environment of a command."""
        return {
            "PATH": os.environ["PATH"],
            "SAFELIGHT_DATA_DIR": str(self.folder / name),
            "SAFELIGHT_PORT": str(self.port),
            "SAFELIGHT_TOKEN": TOKEN,
            "SAFELIGHT_DATABASE_URL": self.database_url,
            "SAFELIGHT_S3__ENDPOINT_URL": self.endpoint_url,
            "SSL_CERT_FILE": str(self.engines.data_dir / "secrets" / "seaweedfs" / "ca.crt"),
            "SAFELIGHT_S3__PUBLIC_ENDPOINT_URL": self.engines.s3_endpoint_url,
            "SAFELIGHT_S3__ACCESS_KEY": self.engines.s3_access_key,
            "SAFELIGHT_S3__SECRET_KEY": self.engines.s3_secret_key,
            "SAFELIGHT_LIMITS__MAX_OPEN_UPLOADS": "100000",
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run everything, and restart what dies; on the main thread's loop."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(_background(self.engines.supervise()))
            for program in (self.server, self.worker):
                stack.push_async_callback(program.stop)
                await stack.enter_async_context(_background(program.supervise()))
            yield

    async def is_ready(self) -> bool:
        """Return whether everything runs and responds."""
        if self.server.pid is None or self.worker.pid is None:
            return False
        if "The worker is ready" not in self.worker.output():
            return False
        try:
            async with httpx.AsyncClient(timeout=10) as client:
                answer = await client.get(f"{self.url}/readyz")
        except httpx.TransportError:
            return False
        return answer.is_success

    async def wait_until_ready(self, *, within: float) -> float:
        """Wait until everything answers; return the seconds. Raises TimeoutError."""
        started_at = time.monotonic()
        while not await self.is_ready():
            if time.monotonic() - started_at > within:
                raise TimeoutError
            await asyncio.sleep(0.1)
        return time.monotonic() - started_at

    async def decoder(self, rng: random.Random) -> int | None:
        """Return the pid of a decoder, one that is decoding if there is one within a second."""
        deadline = time.monotonic() + 1
        while True:
            decoders = self.server.decoders() + self.worker.decoders()
            busy = [decoder for decoder in decoders if _status(decoder) == psutil.STATUS_RUNNING]
            if busy:
                return rng.choice(busy).pid
            if time.monotonic() > deadline:
                return rng.choice(decoders).pid if decoders else None
            await asyncio.sleep(0.005)

    def engine(self, name: str) -> int | None:
        """Return the pid of an engine, if it is alive."""
        pid = self.engines.pids()[name]
        with contextlib.suppress(psutil.Error):
            return pid if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else None
        return None

    def backend(self, rng: random.Random) -> int | None:
        """Return the pid of a PostgreSQL backend that serves one of our connections."""
        with contextlib.suppress(psutil.Error, KeyError):
            children = psutil.Process(self.engines.pids()["PostgreSQL"]).children()
            ours = [
                child for child in children if "safelight safelight" in " ".join(_command(child))
            ]
            return rng.choice(ours).pid if ours else None
        return None

    def settings(self) -> Settings:
        """Return settings with which a library uses the engines directly."""
        return Settings(
            data_dir=self.folder / "beside",
            database_url=SecretStr(self.engines.database_url),
            s3=S3Settings(
                endpoint_url=self.engines.s3_endpoint_url,
                access_key=self.engines.s3_access_key,
                secret_key=SecretStr(self.engines.s3_secret_key),
            ),
        )

    def tracebacks(self) -> dict[str, int]:
        """Count the tracebacks in the logs of server and worker."""
        logs = {program.name: program.log for program in (self.server, self.worker)}
        return {
            f"tracebacks in the {name}'s log": log.read_text(errors="replace").count("Traceback (")
            for name, log in logs.items()
        }


@asynccontextmanager
async def _background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _status(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return str(process.status())
    return psutil.STATUS_DEAD

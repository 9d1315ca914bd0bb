"""Run `safelight serve` as a process, like its users."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from support import engine_data
from support.fork_server import SCRIPT, Process, start_command
from support.processes import family

PATIENCE = {"SAFELIGHT_S3__TIMEOUT": "PT1M"}
"""Settings of every server, for a machine that stalls for seconds."""


@dataclass
class ServeProcess:
    """A server with its own data directory; `start` may be called again after it ended.

    Unless `empty` is set, the engines' data is copied from a template, which saves three seconds.
    """

    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    """The command that runs the server's command, such as `unshare`."""
    empty: bool = False
    process: Process | None = None
    url: str = ""
    screen: str = ""
    output: str = ""
    """Its entire output: banners and log."""
    _is_stopped: bool = True

    def start(self) -> "ServeProcess":
        """Start the server and wait until it is ready."""
        if not (self.empty or self.data_dir.exists() or "SAFELIGHT_DATABASE_URL" in self.settings):
            engine_data.copy_engine_data(self.data_dir)
        began = time.monotonic()
        self.process = self.spawn()
        self._is_stopped = False
        self._read_screen(self.process)
        while not self.is_ready():
            assert time.monotonic() - began < 180, "the server did not become ready"
            time.sleep(0.02)
        return self

    def spawn(self, **settings: str) -> Process:
        """Start the server without waiting for it."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        env = {
            **kept,
            "SAFELIGHT_DATA_DIR": str(self.data_dir),
            **PATIENCE,
            "SAFELIGHT_PORT": "0",
            **self.settings,
            **settings,
        }
        arguments = ["serve", *self.arguments]
        if not self.before:
            # Killed engines may end a moment later; no start of Python is too quick for them.
            restarts_killed = not (self._is_stopped or "SAFELIGHT_DATABASE_URL" in env)
            return start_command(
                arguments,
                env=env,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                script=restarts_killed,
            )
        return subprocess.Popen(
            [*self.before, SCRIPT, *arguments],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _read_screen(self, process: Process) -> None:
        """Read on in a thread, so that the server never waits for a reader."""
        lines: queue.Queue[str] = queue.Queue()
        assert process.stdout is not None
        stream = process.stdout

        def read() -> None:
            for line in stream:
                self.output += line.decode()
                lines.put(line.decode())
            lines.put("")
            stream.close()

        threading.Thread(target=read, daemon=True).start()
        self.screen = ""
        while "Ctrl-C" not in self.screen:
            line = lines.get(timeout=180)
            assert line, f"the server ended before it was ready: {self.screen}"
            self.screen += line
        found = re.search(r"Listening on +(\S+)/", self.screen) or re.search(
            r"Page +(\S+)/", self.screen
        )
        assert found
        self.url = found[1]

    def is_ready(self) -> bool:
        """Return whether /readyz responds with 200."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=60).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def token(self) -> str:
        """The token of the settings, or the one created at the first start."""
        if "SAFELIGHT_TOKEN" in self.settings:
            return self.settings["SAFELIGHT_TOKEN"]
        return (self.data_dir / "secrets" / "token").read_text().strip()

    def client(self) -> httpx.Client:
        """Make a client with the token."""
        bearer = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=bearer, timeout=120)

    def family(self) -> list[psutil.Process]:
        """List the server's process and all its descendants."""
        assert self.process is not None
        return family(self.process.pid)

    def kill(self) -> None:
        """Kill the server with all its descendants, when its data isn't needed any more."""
        assert self.process is not None
        if self.process.poll() is None:
            for process in reversed(self.family()):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self.process.wait(timeout=120)

    def stop(self) -> None:
        """Stop the server like Ctrl-C."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self._is_stopped = True
        self.process.wait(timeout=120)

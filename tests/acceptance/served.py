"""`safelight serve` as a process, as its users start it."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from processes import family

SCRIPT = Path(sys.executable).with_name("safelight")


@dataclass
class Served:
    """A server on a data directory of its own; `start` may be called again after it ended."""

    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    """What its command is given to, to be run by."""
    process: subprocess.Popen[str] | None = None
    url: str = ""
    screen: str = ""
    said: str = ""
    """All that it ever wrote: its screens and its log."""

    def start(self) -> "Served":
        """Start it and wait until it is ready."""
        began = time.monotonic()
        self.process = self.spawn()
        self._read_screen(self.process)
        while not self.is_ready():
            assert time.monotonic() - began < 60, "it does not get ready"
            time.sleep(0.02)
        return self

    def spawn(self, **settings: str) -> subprocess.Popen[str]:
        """Start it without waiting for anything."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.Popen(
            [*self.before, SCRIPT, "serve", *self.arguments],
            env={
                **kept,
                "SAFELIGHT_DATA_DIR": str(self.data_dir),
                "SAFELIGHT_PORT": "0",
                **self.settings,
                **settings,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _read_screen(self, process: subprocess.Popen[str]) -> None:
        """Read on for ever in a thread, so that the server never waits for a reader."""
        lines: queue.Queue[str] = queue.Queue()
        assert process.stdout is not None
        stream = process.stdout

        def read() -> None:
            for line in stream:
                self.said += line
                lines.put(line)
            lines.put("")
            stream.close()

        threading.Thread(target=read, daemon=True).start()
        self.screen = ""
        while "Ctrl-C" not in self.screen:
            line = lines.get(timeout=60)
            assert line, f"it ended before it was ready: {self.screen}"
            self.screen += line
        self.url = next(
            line.split()[-1].rstrip("/") for line in self.screen.splitlines() if "Page" in line
        )

    def is_ready(self) -> bool:
        """Ask /readyz."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def token(self) -> str:
        """The token that was made at the first start."""
        return (self.data_dir / "secrets" / "token").read_text().strip()

    def client(self) -> httpx.Client:
        """Make a client that may."""
        bearer = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=bearer, timeout=30)

    def family(self) -> list[psutil.Process]:
        """List the server's process and all below it."""
        assert self.process is not None
        return family(self.process.pid)

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)

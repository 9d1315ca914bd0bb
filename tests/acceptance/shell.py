"""The installed command, as people run it: in a pipe, and at a terminal."""

import os
import pty
import select
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from acceptance.served import SCRIPT


@dataclass(frozen=True, slots=True)
class Said:
    """What a command wrote, and the code it ended with."""

    code: int
    out: str
    err: str = ""

    @property
    def line(self) -> str:
        """The one line on stderr that an error is."""
        assert self.code == 1, self
        assert self.out == ""
        assert self.err.startswith("safelight: ")
        assert self.err.count("\n") == 1, self.err
        return self.err


@dataclass(frozen=True, slots=True)
class Shell:
    """A working directory and an environment to run commands in."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def env(self, **more: str) -> dict[str, str]:
        return {"PATH": f"{SCRIPT.parent}:{os.environ['PATH']}", **self.variables, **more}

    def run(self, *arguments: str, **more: str) -> Said:
        """Run it in a pipe, with nobody at stdin."""
        ended = subprocess.run(
            [SCRIPT, *arguments],
            check=False,
            cwd=self.folder,
            env=self.env(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        assert b"Traceback" not in ended.stderr, ended.stderr.decode()
        return Said(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        """Start it in a pipe and don't wait."""
        return subprocess.Popen(
            [SCRIPT, *arguments],
            cwd=self.folder,
            env=self.env(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def at_terminal(
        self, *arguments: str, typed: str = "", piped: bool = False, **more: str
    ) -> Said:
        """Run it at a terminal of 100 columns; with `piped`, all but its stdout is one.

        What the terminal shows comes as `out`, or as `err` if `piped`.
        """
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [SCRIPT, *arguments],
            cwd=self.folder,
            env=self.env(**{"TERM": "xterm-256color", "COLUMNS": "100"} | more),
            stdin=theirs,
            stdout=subprocess.PIPE if piped else theirs,
            stderr=theirs,
        )
        os.close(theirs)
        if typed:
            os.write(ours, typed.encode())
        shown = _read(ours, process).decode(errors="surrogateescape")
        assert "Traceback" not in shown
        if process.stdout is None:
            return Said(process.wait(30), shown)
        with process.stdout:
            return Said(process.wait(30), process.stdout.read().decode(), shown)


def _read(terminal: int, process: subprocess.Popen[bytes]) -> bytes:
    """Read what a terminal shows until its program ends."""
    shown = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 0.1)
        try:
            piece = os.read(terminal, 65536) if ready else b""
        except OSError:  # EIO: nobody has its other end open
            break
        shown += piece
        if not piece and process.poll() is not None:
            break
    else:
        process.send_signal(signal.SIGKILL)
    os.close(terminal)
    return shown

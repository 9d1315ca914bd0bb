"""Run the installed command in a pipe or on a terminal."""

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.fork_server import SCRIPT, Process, start_command


@dataclass(frozen=True, slots=True)
class CommandResult:
    """A command's output and exit code."""

    code: int
    out: str
    err: str = ""

    @property
    def line(self) -> str:
        """Return the only output of a failed command: a line on stderr."""
        assert self.code == 1, self
        assert self.out == ""
        assert self.err.startswith("safelight: ")
        assert self.err.count("\n") == 1, self.err
        return self.err


@dataclass(frozen=True, slots=True)
class Shell:
    """A working directory and environment variables for commands."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def env(self, **extra: str) -> dict[str, str]:
        return {"PATH": f"{SCRIPT.parent}:{os.environ['PATH']}", **self.variables, **extra}

    def run(
        self, *arguments: str, before: Sequence[str | Path] = (), **extra: str
    ) -> CommandResult:
        """Run a command in a pipe, without stdin; `before` is another command that runs it."""
        process: Process | subprocess.Popen[bytes]
        if before:
            process = subprocess.Popen(
                [*before, SCRIPT, *arguments],
                cwd=self.folder,
                env=self.env(**extra),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        else:
            process = self.start(*arguments, **extra)
        out, err = process.communicate(timeout=180)
        assert b"Traceback" not in err, err.decode()
        return CommandResult(process.wait(), out.decode(), err.decode())

    def start(self, *arguments: str, **extra: str) -> Process:
        """Start a command in a pipe, without waiting for it."""
        return start_command(arguments, cwd=self.folder, env=self.env(**extra))

    def at_terminal(
        self, *arguments: str, typed: str = "", piped: bool = False, **extra: str
    ) -> CommandResult:
        """Run a command on a terminal of 100 columns; with `piped`, stdout is a pipe.

        The terminal's content is `out`, or `err` if `piped`.
        """
        terminal, process_end = pty.openpty()
        process = start_command(
            arguments,
            cwd=self.folder,
            env=self.env(**{"TERM": "xterm-256color", "COLUMNS": "100"} | extra),
            stdin=process_end,
            stdout=subprocess.PIPE if piped else process_end,
            stderr=process_end,
        )
        os.close(process_end)
        if typed:
            os.write(terminal, typed.encode())
        shown = _read(terminal, process).decode(errors="surrogateescape")
        assert "Traceback" not in shown
        if process.stdout is None:
            return CommandResult(process.wait(120), shown)
        with process.stdout:
            return CommandResult(process.wait(120), process.stdout.read().decode(), shown)


def _read(terminal: int, process: Process) -> bytes:
    """Return a terminal's content after its program has ended."""
    shown = b""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        # Before the terminal is read: it may write its last lines and end in between.
        has_ended = process.poll() is not None
        ready, _, _ = select.select([terminal], [], [], 0 if has_ended else 0.1)
        try:
            chunk = os.read(terminal, 65536) if ready else b""
        except OSError:  # EIO: the other end is closed
            break
        shown += chunk
        if not chunk and has_ended:
            break
    else:
        process.send_signal(signal.SIGKILL)
    os.close(terminal)
    return shown

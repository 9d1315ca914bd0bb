"""Spawn engine processes that end with this one, and stop those that an earlier run left."""

import functools
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The numeric user and group that a process runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program with its arguments, environment and account.

    Its environment is `environ` with a PATH and a LANG; it inherits nothing else, and so none of
    our secrets. Without `account` it runs as our user. It gets `death_signal` when this process
    ends.
    """

    argv: Sequence[str | Path]
    cwd: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    death_signal: signal.Signals = signal.SIGKILL


def spawn(
    command: Command, *, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a command in a new session, with standard error redirected to standard output.

    Call this from any thread. Raises OSError if the command can't be started.
    """
    user = command.account or Account(uid=-1, gid=-1)
    numbers = (os.getpid(), int(command.death_signal), user.uid, user.gid)
    argv: list[str | Path] = [
        sys.executable,
        "-I",
        "-S",
        _LAUNCH,
        *map(str, numbers),
        *map(str, command.argv),
    ]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  our own program, no shell
            argv,
            cwd=command.cwd,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", **command.environ},
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    started = _spawner(os.getpid()).submit(start)
    try:
        return started.result()
    except KeyboardInterrupt:
        started.add_done_callback(_kill_started)
        raise


@functools.cache
def _spawner(_pid: int) -> ThreadPoolExecutor:
    """Return the thread that starts processes, and lives as long as this process.

    A death signal follows the thread that spawned the process, and other threads may end earlier:
    a test client runs each app in a thread of its own. A fork has none of the threads.
    """
    return ThreadPoolExecutor(1, thread_name_prefix="safelight-spawner")


def _kill_started(started: Future[subprocess.Popen[bytes]]) -> None:
    if not started.exception():
        started.result().kill()


def run(command: Command, text: str = "", *, timeout: float = 60) -> tuple[int, str]:
    """Run a command with `text` as its input, and return its exit status and output.

    After `timeout` seconds the program is killed; its status is then negative.
    """
    child = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        out, _ = child.communicate(text.encode(), timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        out, _ = child.communicate()
    except BaseException:
        child.kill()
        child.wait()
        raise
    return child.returncode, out.decode(errors="replace").strip()


def stop(child: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal and wait its seconds for the process to end; then send SIGKILL.

    SIGKILL goes to the whole process group. Never raises, and leaves no zombie.
    """
    for signal_number, seconds in steps:
        if child.poll() is not None:
            return
        child.send_signal(signal_number)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def stop_orphans(directory: Path, program: str, first: signal.Signals, seconds: float) -> None:
    """Stop every process called `program` whose working directory is `directory`.

    They are left over from an earlier run, since the caller holds the data directory's lock. Each
    is sent `first`, and after `seconds` SIGKILL. Pidfds ensure that a reused process id never hits
    another process.
    """
    pidfds = [fd for pid in _pids() if (fd := _open_if(pid, directory, program)) is not None]
    try:
        for signal_number, limit in ((first, seconds), (signal.SIGKILL, 2.0)):
            for fd in pidfds:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(fd, signal_number)
            deadline = time.monotonic() + limit
            while not all(map(_has_ended, pidfds)) and time.monotonic() < deadline:
                time.sleep(0.01)
    finally:
        for fd in pidfds:
            os.close(fd)


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _open_if(pid: int, directory: Path, program: str) -> int | None:
    if pid == os.getpid():
        return None
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    if _matches(pid, directory, program):
        return fd
    os.close(fd)
    return None


def _matches(pid: int, directory: Path, program: str) -> bool:
    proc = Path(f"/proc/{pid}")
    try:
        name = (proc / "exe").readlink().name.removesuffix(" (deleted)")
        return name == program and (proc / "cwd").samefile(directory)
    except OSError:
        return False


def _has_ended(fd: int) -> bool:
    """Return whether a process has ended, even if its parent hasn't reaped it yet."""
    return bool(select.select([fd], [], [], 0)[0])

"""The engines' processes: spawned so that they can't outlive us, and found again if they did."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The user and group, by number, that a process runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program with its arguments, and what it runs in.

    The environment is `environ` beside a PATH and a LANG, and nothing else, so that no secret of
    ours is inherited. `account` None runs it as we do. `death_signal` is what it gets when the
    thread that spawned it ends.
    """

    argv: Sequence[str | Path]
    cwd: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    death_signal: signal.Signals = signal.SIGKILL


def spawn(
    command: Command, *, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start it in a session of its own; its standard error goes where its standard output goes.

    Call it from the main thread: the kernel watches the thread, not the process. OSError if it
    can't be started.
    """
    user = command.account or Account(uid=-1, gid=-1)
    numbers = (os.getpid(), int(command.death_signal), user.uid, user.gid)
    return subprocess.Popen(  # noqa: S603  our own program, no shell
        [sys.executable, "-I", "-S", _LAUNCH, *map(str, numbers), *map(str, command.argv)],
        cwd=command.cwd,
        env={"PATH": os.defpath, "LANG": "C.UTF-8", **command.environ},
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def run(command: Command, text: str = "", *, timeout: float = 60) -> tuple[int, str]:
    """Run it to its end with `text` as its input; its exit status and all it printed.

    `timeout` is seconds; past it the program is killed and its status is negative.
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


def end(child: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn, waiting so many seconds for the end after each, and then SIGKILL.

    The last goes to the whole process group. Nothing is raised; no zombie stays.
    """
    for step, patience in steps:
        if child.poll() is not None:
            return
        child.send_signal(step)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        return
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def end_leftovers(directory: Path, program: str, first: signal.Signals, patience: float) -> None:
    """End every process called `program` whose working directory is `directory`.

    For what an earlier run of ours left behind; the caller holds the data directory's lock, so none
    of them is anybody's. Each is sent `first`, and after `patience` seconds SIGKILL. A process is
    held by a descriptor while it is looked at, so that a number used again hits no stranger.
    """
    found = [fd for pid in _pids() if (fd := _held(pid, directory, program)) is not None]
    try:
        for step, seconds in ((first, patience), (signal.SIGKILL, 2.0)):
            for fd in found:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(fd, step)
            deadline = time.monotonic() + seconds
            while not all(map(_ended, found)) and time.monotonic() < deadline:
                time.sleep(0.01)
    finally:
        for fd in found:
            os.close(fd)


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _held(pid: int, directory: Path, program: str) -> int | None:
    if pid == os.getpid():
        return None
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    if _is(pid, directory, program):
        return fd
    os.close(fd)
    return None


def _is(pid: int, directory: Path, program: str) -> bool:
    proc = Path(f"/proc/{pid}")
    try:
        name = (proc / "exe").readlink().name.removesuffix(" (deleted)")
        return name == program and (proc / "cwd").samefile(directory)
    except OSError:
        return False


def _ended(fd: int) -> bool:
    """Whether a process has ended, though its parent may not have noticed yet."""
    return bool(select.select([fd], [], [], 0)[0])

"""Run our programs as forks of one process that has imported them, which saves much CPU time.

A forked program has its own process id, arguments, environment, working directory, streams and
session, and ends like any other, but at the latest with the test process. Only its imports are
shared, so what is about imports or about the start of Python runs `SCRIPT` itself.

The fork server is this module as a program: ``python fork_server.py CHANNEL WORKER``. For each
program, it gets a message and four descriptors: a pipe for the process id and later the exit
status, and the program's standard streams.
"""

import atexit
import contextlib
import ctypes
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

import safelight.cli
from support import determinism

SCRIPT: Final = Path(sys.executable).with_name("safelight")
"""The installed command."""

_MESSAGE_BYTES: Final = 1 << 17
_PR_SET_PDEATHSIG: Final = 1
_NUMBER: Final = struct.Struct("=i")
_MODULES: Final = (
    *("safelight.cli.app", "safelight.server.serve", "safelight.server.worker"),
    *("safelight.client.api", "safelight.client.uploader", "safelight.client.progress"),
    *("safelight.engines", "safelight.settings.environment", "rich.progress", "segno"),
    *("safelight.library.assembly", "safelight.library.backends"),
    *("httpcore", "anyio._backends._asyncio", "certifi", "encodings.idna"),
)
"""What is imported before the first fork. Other modules are imported by each program."""


class ForkedProcess:
    """A forked program; its methods are those of `subprocess.Popen`."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        start_new_session: bool = False,
    ) -> None:
        """Run `safelight` with these arguments."""
        self.returncode: int | None = None
        self.stdout, out = _open_output(stdout)
        self.stderr, err = (None, out) if stderr == subprocess.STDOUT else _open_output(stderr)
        into = os.open(os.devnull, os.O_RDONLY) if stdin == subprocess.DEVNULL else os.dup(stdin)
        self._status, status = os.pipe()
        request = {
            "arguments": [os.fspath(argument) for argument in arguments],
            "env": dict(env),
            "cwd": os.fspath(cwd or Path.cwd()),
            "session": start_new_session,
        }
        try:
            message = json.dumps(request).encode()
            socket.send_fds(_server(), [message], [status, into, out, err])
        finally:
            for descriptor in {status, into, out, err}:
                os.close(descriptor)
        self.pid = self._receive()

    def poll(self) -> int | None:
        """Return the exit status if it has ended."""
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(SCRIPT), timeout or 0)
            self.returncode = self._receive()
            os.close(self._status)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Read all output and wait until it ends. Raises subprocess.TimeoutExpired."""
        output: dict[IO[bytes] | None, bytes] = {self.stdout: b"", self.stderr: b""}
        streams = {stream for stream in output if stream is not None and not stream.closed}
        for stream in streams:  # so that `read` returns what it has buffered and what has arrived
            os.set_blocking(stream.fileno(), False)
        deadline = None if timeout is None else time.monotonic() + timeout
        readable = list(streams)
        while True:
            for stream in readable:
                chunk = stream.read()
                output[stream] += chunk or b""
                if chunk == b"":
                    streams.discard(stream)
                    stream.close()
            if not streams:
                break
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            readable = select.select(list(streams), [], [], left)[0]
            if not readable:
                raise subprocess.TimeoutExpired(str(SCRIPT), timeout or 0)
        self.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return output[self.stdout], output[self.stderr]

    def _receive(self) -> int:
        data = os.read(self._status, _NUMBER.size)
        if len(data) != _NUMBER.size:
            raise ChildProcessError("the fork server has ended")
        number: int = _NUMBER.unpack(data)[0]
        return number


Process = ForkedProcess | subprocess.Popen[bytes]


def start_command(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    start_new_session: bool = False,
    script: bool = False,
) -> Process:
    """Run `safelight`: the script itself on request, or if `env` changes how Python starts."""
    if script or any(name.startswith(("PYTHON", "LANG", "LC_", "LD_")) for name in env):
        return subprocess.Popen(
            [SCRIPT, *arguments],
            env=env,
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=start_new_session,
        )
    return ForkedProcess(
        arguments,
        env=env,
        cwd=cwd,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=start_new_session,
    )


def _open_output(wanted: int) -> tuple[IO[bytes] | None, int]:
    """Return our end of an output, if it is a pipe, and the program's."""
    if wanted != subprocess.PIPE:
        return None, os.dup(wanted)
    ours, theirs = os.pipe()
    return os.fdopen(ours, "rb"), theirs


@functools.cache
def _server() -> socket.socket:
    """Start the fork server of this process, which ends with it, and return the channel to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    worker = determinism.worker_number()
    patience = "patient" if determinism.is_patient() else ""
    # Like the programs, it has no locale. Its session keeps Ctrl-C from it.
    program = subprocess.Popen(
        [sys.executable, __file__, str(theirs.fileno()), str(worker), patience],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[1])},
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        start_new_session=True,
    )
    theirs.close()

    def stop() -> None:
        ours.close()
        program.wait(120)

    atexit.register(stop)
    return ours


class _ForkServer:
    """Forks programs, and reports their ends. `_statuses` has the pipe of each, by its pid."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._statuses: dict[int, int] = {}
        self._wakeup, written = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)

    def serve(self) -> Callable[[], object] | None:
        """Serve until the channel is closed; in a forked program, return its main function."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self._wakeup in ready:
                os.read(self._wakeup, 4096)
                self._reap()
            if self._channel.fileno() in ready:
                message, descriptors, _, _ = socket.recv_fds(self._channel, _MESSAGE_BYTES, 4)
                if not message:
                    return None
                status, *streams = descriptors
                pid = os.fork()
                if pid == 0:
                    self._channel.detach()
                    return _become(json.loads(message), streams)
                os.write(status, _NUMBER.pack(pid))
                self._statuses[pid] = status
                for stream in streams:
                    os.close(stream)

    def _reap(self) -> None:
        while self._statuses:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with os.fdopen(self._statuses.pop(pid), "wb", 0) as pipe, contextlib.suppress(OSError):
                pipe.write(_NUMBER.pack(os.waitstatus_to_exitcode(status)))


def _become(request: dict[str, Any], streams: Sequence[int]) -> Callable[[], object]:
    """Turn this process, which was just forked, into a program; return its main function."""
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_PDEATHSIG)")
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, 1024)
    if request["session"]:
        os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    Path("/proc/self/comm").write_text("safelight")
    sys.argv = [str(SCRIPT), *request["arguments"]]
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    for number, name in ((1, "stdout"), (2, "stderr")):
        errors = "surrogateescape" if name == "stdout" else "backslashreplace"
        buffered = name == "stdout" and not os.isatty(number)
        stream = open(  # noqa: SIM115
            number,
            "w",
            encoding="utf-8",
            errors=errors,
            buffering=-1 if buffered else 1,
            closefd=False,
        )
        setattr(sys, name, stream)
    return safelight.cli.main


def _run_server() -> None:
    determinism.apply(int(sys.argv[2]))
    if sys.argv[3]:
        determinism.be_patient()
    for name in _MODULES:
        importlib.import_module(name)
    threads = len(list(Path("/proc/self/task").iterdir()))
    assert threads == 1, "a library has started threads, and a fork would leave them out"
    gc.collect()
    gc.freeze()
    main = _ForkServer(socket.socket(fileno=int(sys.argv[1]))).serve()
    if main is not None:
        main()


if __name__ == "__main__":
    _run_server()

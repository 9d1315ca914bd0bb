"""A decoder program that also does what a hostile photo could make a decoder do."""

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from safelight.darkroom.child.__main__ import main
from safelight.darkroom.child.decoder import Message

_DESCRIPTORS: Final = 32
_F_SETSIG: Final = 10
_FIOASYNC, _FIOSETOWN = 0x5452, 0x8901
_CLONE, _CLONE_VM, _CLONE_SIGHAND, _CLONE_THREAD = 56, 0x100, 0x800, 0x10000
_NEWFSTATAT, _AT_FDCWD, _AT_EMPTY_PATH = 262, -100, 0x1000


def misbehave(request: Message, descriptors: Sequence[int]) -> Message:
    """Perform the requested `fault`, and return its result if it ends."""
    del descriptors
    return {"result": _FAULTS[request["fault"]]()}


def _spin() -> None:
    while True:
        pass


def _hang() -> None:
    time.sleep(3600)


def _crash() -> None:
    ctypes.string_at(0)


def _exhaust_memory() -> None:
    blocks = [bytearray(1 << 24) for _ in range(1 << 16)]
    del blocks


def _exit() -> None:
    os._exit(0)


def _flood() -> str:
    return "x" * 100_000


def _report() -> Message:
    """Return what the process has, and the result of each attempt at something forbidden."""
    return {
        "environment": dict(os.environ),
        "descriptors": [number for number in range(_DESCRIPTORS) if _is_open(number)],
        "uid": os.geteuid(),
        "limits": {
            name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
            for name in ("AS", "CORE", "FSIZE", "NOFILE")
        },
        "attempts": {name: _attempt(action) for name, action in _FORBIDDEN.items()},
    }


def _is_open(number: int) -> bool:
    try:
        fcntl.fcntl(number, fcntl.F_GETFD)
    except OSError:
        return False
    return True


def _attempt(action: Callable[[], object]) -> str:
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    except RuntimeError as error:
        return str(error)
    return "done"


def _call(number: int, *arguments: object) -> None:
    """Make a system call of x86_64, with whatever the C library would have put in its place."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


_FORBIDDEN: Final[Mapping[str, Callable[[], object]]] = {
    "open": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "list": lambda: list(os.scandir("/")),
    "connect": lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
    "unix socket": lambda: socket.socket(socket.AF_UNIX),
    "fork": os.fork,
    "run": lambda: subprocess.run(["/bin/true"], check=True),
    "signal the parent": lambda: os.kill(os.getppid(), 0),
    "have the kernel signal the parent": lambda: fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid()),
    "choose the signal": lambda: fcntl.fcntl(0, _F_SETSIG, signal.SIGKILL),
    "have a signal sent": lambda: fcntl.fcntl(0, fcntl.F_SETFL, os.O_ASYNC),
    "have a signal sent by ioctl": lambda: fcntl.ioctl(0, _FIOASYNC, struct.pack("i", 1)),
    "have the parent signalled by ioctl": lambda: fcntl.ioctl(
        0, _FIOSETOWN, struct.pack("i", os.getppid())
    ),
    "look up a path": lambda: Path("/etc/passwd").stat(),
    "look up the root": lambda: Path("/").stat(),
    "look up by newfstatat": lambda: _call(
        _NEWFSTATAT, _AT_FDCWD, b"/proc/1", ctypes.create_string_buffer(256), _AT_EMPTY_PATH
    ),
    "read a link": lambda: Path("/proc/self/exe").readlink(),
    "start a thread": lambda: threading.Thread(target=int).start(),
    "clone a thread": lambda: _call(_CLONE, _CLONE_VM | _CLONE_SIGHAND | _CLONE_THREAD, 0, 0, 0, 0),
    "executable memory": lambda: mmap.mmap(
        -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    ),
}
_FAULTS: Final[Mapping[str, Callable[[], object]]] = {
    "spin": _spin,
    "hang": _hang,
    "crash": _crash,
    "exhaust memory": _exhaust_memory,
    "exit": _exit,
    "flood": _flood,
    "report": _report,
}


if __name__ == "__main__":
    main({"misbehave": misbehave})

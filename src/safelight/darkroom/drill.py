"""Doing as a hostile picture would make the decoder do: for the tests of the darkroom.

A child has this duty only if it was started with the word "drill", never by what a request says.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

_Message = dict[str, Any]
_DESCRIPTORS: Final = 32


def rehearse(request: _Message, descriptors: Sequence[int]) -> _Message:
    """Perform `act`; if that comes to an end, give what it found."""
    del descriptors
    return {"drill": _ACTS[request["act"]]()}


def _spin() -> None:
    while True:
        pass


def _hang() -> None:
    time.sleep(3600)


def _crash() -> None:
    ctypes.string_at(0)


def _hog() -> None:
    hoard = [bytearray(1 << 24) for _ in range(1 << 16)]
    del hoard


def _quit() -> None:
    os._exit(0)


def _babble() -> str:
    return "x" * 100_000


def _confess() -> _Message:
    """Tell what it has, and what becomes of an attempt at each thing it must not do."""
    return {
        "environment": dict(os.environ),
        "descriptors": [number for number in range(_DESCRIPTORS) if _is_open(number)],
        "uid": os.geteuid(),
        "limits": {
            name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
            for name in ("AS", "CORE", "FSIZE", "NOFILE")
        },
        "attempts": {name: _attempt(deed) for name, deed in _DEEDS.items()},
    }


def _is_open(number: int) -> bool:
    try:
        fcntl.fcntl(number, fcntl.F_GETFD)
    except OSError:
        return False
    return True


def _attempt(deed: Callable[[], object]) -> str:
    try:
        deed()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    return "done"


_DEEDS: Final[Mapping[str, Callable[[], object]]] = {
    "open": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "list": lambda: list(os.scandir("/")),
    "connect": lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
    "unix socket": lambda: socket.socket(socket.AF_UNIX),
    "fork": os.fork,
    "run": lambda: subprocess.run(["/bin/true"], check=True),
    "signal the parent": lambda: os.kill(os.getppid(), 0),
    "executable memory": lambda: mmap.mmap(
        -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    ),
}
_ACTS: Final[Mapping[str, Callable[[], object]]] = {
    "spin": _spin,
    "hang": _hang,
    "crash": _crash,
    "hog": _hog,
    "quit": _quit,
    "babble": _babble,
    "confess": _confess,
}

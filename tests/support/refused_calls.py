"""Run a command to which the kernel refuses some system calls: ``refused_calls.py NAMES COMMAND``.

It is as on a kernel that lacks them, or in a container whose filter forbids them.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_CALLS: Final = {
    "x86_64": {"seccomp": 317, "setresuid": 117},
    "aarch64": {"seccomp": 277, "setresuid": 147},
}
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000


def without_calls(*names: str) -> list[str | Path]:
    """Return the start of a command whose processes can't make these system calls."""
    return [sys.executable, Path(__file__).resolve(), ",".join(names)]


def _refuse(names: Sequence[str]) -> None:
    """Let these calls fail with EPERM in this process and its children, for good."""
    numbers = _CALLS[platform.machine()]
    lines = [(_LOAD, 0, 0, 0)]
    for name in names:
        lines += [(_EQUAL, 0, 1, numbers[name]), (_RETURN, 0, 0, _FAIL | errno.EPERM)]
    lines += [(_RETURN, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    program = struct.pack("@HxxxxxxP", len(lines), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "the filter can't be installed")


if __name__ == "__main__":
    _refuse(sys.argv[1].split(","))
    os.execv(sys.argv[2], sys.argv[2:])

"""Filter a decoder's system calls.

Some forty calls are allowed. After that the process can open no file and no socket, look up no
path, start no program, no process and no thread (except for the formats that need one), make no
page executable, and signal no other process, not by `fcntl` either. All other calls fail with
ENOSYS, as on a kernel that does not have them: the C library has a fallback for that. See
seccomp(2), and the kernel's seccomp_filter.rst.
"""

import ctypes
import fcntl
import os
import platform
import struct
from collections.abc import Sequence
from typing import Final

_PR_SET_NAME: Final = 15
_SECCOMP_SET_MODE_FILTER, _FILTER_EVERY_THREAD = 1, 1
_PROT_EXEC, _CLONE_THREAD = 4, 0x10000

# From linux/filter.h: load a word, jump if equal, jump if a bit is set, return.
_LOAD, _EQUAL, _BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _NO_SUCH_CALL = 0x7FFF0000, 0x80000000, 0x00050000 | 38
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

# The number of each call on x86_64 and on aarch64 (None: it doesn't exist).
_CALLS: Final[dict[str, tuple[int | None, int | None]]] = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "poll": (7, None),
    "lseek": (8, 62), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "pread64": (17, 67),
    "sched_yield": (24, 124), "mremap": (25, 216), "madvise": (28, 233), "dup": (32, 23),
    "nanosleep": (35, 101), "getpid": (39, 172), "sendto": (44, 206), "sendmsg": (46, 211),
    "recvmsg": (47, 212), "exit": (60, 93), "uname": (63, 160),
    "getrusage": (98, 165), "sysinfo": (99, 179), "geteuid": (107, 175),
    "sigaltstack": (131, 132), "gettid": (186, 178), "futex": (202, 98),
    "sched_getaffinity": (204, 123), "restart_syscall": (219, 128), "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115), "exit_group": (231, 94), "ppoll": (271, 73),
    "set_robust_list": (273, 99), "getrandom": (318, 278),
    "membarrier": (324, 283), "rseq": (334, 293),
}  # fmt: skip
_MAP, _PROTECT, _CLONE, _CONTROL_FILE, _SIGNAL, _CONTROL, _LIMIT = (
    (9, 222), (10, 226), (56, 220), (72, 25), (234, 131), (157, 167), (302, 261)
)  # fmt: skip
_FILE_COMMANDS: Final = (fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, fcntl.F_DUPFD_CLOEXEC)
"""Others could have the kernel send signals (F_SETOWN, F_SETSIG and O_ASYNC)."""
_ARCHITECTURES: Final = {"x86_64": (0xC000003E, 0, 317), "aarch64": (0xC00000B7, 1, 277)}

_Instruction = tuple[int, int, int, int]


def install_filter(*, threads: bool = False) -> bool:
    """Install the filter in every thread. Return whether this kernel and processor support it.

    `threads` may still be started if requested, but no processes.
    """
    if platform.machine() not in _ARCHITECTURES:
        return False
    architecture, column, seccomp = _ARCHITECTURES[platform.machine()]
    lines = _make_program(architecture, column, threads=threads)
    code = b"".join(struct.pack("=HBBI", *line) for line in lines)
    instructions = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(
        struct.pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(instructions))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    result: int = libc.syscall(
        seccomp, _SECCOMP_SET_MODE_FILTER, _FILTER_EVERY_THREAD, ctypes.byref(program)
    )
    return result == 0


def _make_program(architecture: int, column: int, *, threads: bool) -> list[_Instruction]:
    return [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        *(
            line
            for numbers in _CALLS.values()
            if (number := numbers[column]) is not None
            for line in ((_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW))
        ),
        *_refuse_if_bit(_MAP[column], 2, _PROT_EXEC),
        *_refuse_if_bit(_PROTECT[column], 2, _PROT_EXEC),
        *(_allow_if_bit(_CLONE[column], 0, _CLONE_THREAD) if threads else ()),
        *_allow_if(_CONTROL_FILE[column], 1, _FILE_COMMANDS),
        *_allow_if(_SIGNAL[column], 0, [os.getpid()]),
        *_allow_if(_CONTROL[column], 0, [_PR_SET_NAME]),
        *_allow_if(_LIMIT[column], 0, [0]),
        (_RETURN, 0, 0, _NO_SUCH_CALL),
    ]


def _allow_if(number: int, argument: int, values: Sequence[int]) -> list[_Instruction]:
    """Allow call `number` if an argument has one of the values, otherwise refuse it."""
    return [
        (_EQUAL, 0, 2 * len(values) + 2, number),
        (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument),
        *(line for value in values for line in ((_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW))),
        (_RETURN, 0, 0, _NO_SUCH_CALL),
    ]


def _refuse_if_bit(number: int, argument: int, bit: int) -> list[_Instruction]:
    """Refuse call `number` if an argument has the bit, otherwise allow it."""
    return _choose_by_bit(number, argument, bit, (_NO_SUCH_CALL, _ALLOW))


def _allow_if_bit(number: int, argument: int, bit: int) -> list[_Instruction]:
    """Allow call `number` if an argument has the bit, otherwise refuse it."""
    return _choose_by_bit(number, argument, bit, (_ALLOW, _NO_SUCH_CALL))


def _choose_by_bit(
    number: int, argument: int, bit: int, actions: tuple[int, int]
) -> list[_Instruction]:
    return [
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument),
        (_BITS, 0, 1, bit),
        *((_RETURN, 0, 0, action) for action in actions),
    ]

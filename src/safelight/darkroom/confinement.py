"""What a child gives up before it reads a stranger's byte.

Limits on memory, file size and open files; no core dumps; no privileges, now or by exec; death with
its parent; and, by seccomp, all but some forty system calls: afterwards the process can open no
file and no socket, start no program and no process, make no page executable, and signal nobody
else. A call that is left out fails with ENOSYS, as on a kernel that never had it, since the C
library knows how to do without those. See seccomp(2), and the kernel's seccomp_filter.rst.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
from typing import Final

_NOBODY: Final = 65534
_OPEN_FILES: Final = 32

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_NO_NEW_PRIVS = 1, 4, 15, 38
_SECCOMP_SET_MODE_FILTER, _FILTER_EVERY_THREAD = 1, 1
_CLONE_THREAD, _PROT_EXEC = 0x10000, 4

# From linux/filter.h: load a word, jump if equal, jump if a bit is set, return.
_LOAD, _EQUAL, _BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _NO_SUCH_CALL = 0x7FFF0000, 0x80000000, 0x00050000 | 38
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

# The number of each call on x86_64 and on aarch64 (None: it isn't there).
_CALLS: Final[dict[str, tuple[int | None, int | None]]] = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "poll": (7, None),
    "lseek": (8, 62), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "pread64": (17, 67),
    "sched_yield": (24, 124), "mremap": (25, 216), "madvise": (28, 233), "dup": (32, 23),
    "nanosleep": (35, 101), "getpid": (39, 172), "sendto": (44, 206), "sendmsg": (46, 211),
    "recvmsg": (47, 212), "exit": (60, 93), "uname": (63, 160), "fcntl": (72, 25),
    "getrusage": (98, 165), "sysinfo": (99, 179), "geteuid": (107, 175),
    "sigaltstack": (131, 132), "gettid": (186, 178), "futex": (202, 98),
    "sched_getaffinity": (204, 123), "restart_syscall": (219, 128), "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115), "exit_group": (231, 94), "newfstatat": (262, 79),
    "ppoll": (271, 73), "set_robust_list": (273, 99), "getrandom": (318, 278),
    "membarrier": (324, 283), "rseq": (334, 293),
}  # fmt: skip
_MAP, _PROTECT, _CLONE, _SIGNAL, _CONTROL, _LIMIT = (
    (9, 222), (10, 226), (56, 220), (234, 131), (157, 167), (302, 261)
)  # fmt: skip
_ARCHITECTURES: Final = {"x86_64": (0xC000003E, 0, 317), "aarch64": (0xC00000B7, 1, 277)}

_Instruction = tuple[int, int, int, int]


def limit_resources(address_space: int) -> None:
    """Set the limits that last for the child's life. Call it when all libraries are loaded."""
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))


def drop_privileges() -> None:
    """Be nobody if we are root; die with the parent; keep other processes' hands off our memory."""
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):  # Root of a container may lack the right to.
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    libc = ctypes.CDLL(None, use_errno=True)
    # After the change of user, which clears both.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def forbid_system_calls() -> bool:
    """Install the filter in every thread. Tell whether this kernel and processor have it."""
    if platform.machine() not in _ARCHITECTURES:
        return False
    architecture, column, seccomp = _ARCHITECTURES[platform.machine()]
    code = b"".join(struct.pack("=HBBI", *line) for line in _program(architecture, column))
    instructions = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(
        struct.pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(instructions))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    answer: int = libc.syscall(
        seccomp, _SECCOMP_SET_MODE_FILTER, _FILTER_EVERY_THREAD, ctypes.byref(program)
    )
    return answer == 0


def _program(architecture: int, column: int) -> list[_Instruction]:
    ours = os.getpid()
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
        *_if(_MAP[column], 2, _BITS, _PROT_EXEC, allow=False),
        *_if(_PROTECT[column], 2, _BITS, _PROT_EXEC, allow=False),
        *_if(_CLONE[column], 0, _BITS, _CLONE_THREAD, allow=True),
        *_if(_SIGNAL[column], 0, _EQUAL, ours, allow=True),
        *_if(_CONTROL[column], 0, _EQUAL, _PR_SET_NAME, allow=True),
        *_if(_LIMIT[column], 0, _EQUAL, 0, allow=True),
        (_RETURN, 0, 0, _NO_SUCH_CALL),
    ]


def _if(number: int, argument: int, test: int, value: int, *, allow: bool) -> list[_Instruction]:
    """Decide call `number` by one argument; `allow` says what holds when the test is true."""
    answers = (_ALLOW, _NO_SUCH_CALL) if allow else (_NO_SUCH_CALL, _ALLOW)
    return [
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument),
        (test, 0, 1, value),
        (_RETURN, 0, 0, answers[0]),
        (_RETURN, 0, 0, answers[1]),
    ]

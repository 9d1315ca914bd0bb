"""Drop a decoder's rights before it reads the first photo.

It gets limits on memory, file size and open files, no core dumps, and no privileges, neither now
nor by exec; it dies with its parent, and is the first that the kernel ends when memory is short.
With root's rights, its root becomes an empty directory before it drops them. Landlock, where the
kernel has it, forbids it to change files, to use TCP and to signal other processes. Last comes the
filter on system calls (`seccomp`), which alone refuses almost all of that, too.
"""

import contextlib
import ctypes
import os
import resource
import signal
import struct
import tempfile
from pathlib import Path
from typing import Final

_NOBODY: Final = 65534
_OPEN_FILES: Final = 32
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38

# From linux/landlock.h, with the version of the interface that added each right.
_CREATE_RULESET, _RESTRICT_SELF, _ASK_VERSION = 444, 446, 1
_FILE_RIGHTS: Final = {1: 0x1FFF, 2: 0x2000, 3: 0x4000, 5: 0x8000}
_READ_RIGHTS: Final = 0x000C
_TCP_RIGHTS, _TCP_VERSION = 0x3, 4
_SCOPES, _SCOPE_VERSION = 0x3, 6


def open_empty_root() -> int | None:
    """Return a descriptor of a directory that is empty forever, for `enter_empty_root`.

    None without root's rights, or if no directory can be created.
    """
    if os.geteuid() != 0:
        return None
    try:
        path = tempfile.mkdtemp()
        try:
            return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        finally:
            Path(path).rmdir()  # Nothing can be created in a directory that is removed.
    except OSError:
        return None


def enter_empty_root(descriptor: int) -> None:
    """Make this directory the root, so that no path leads to a file, and close it."""
    with contextlib.suppress(OSError):  # A container's root may not be allowed to.
        os.fchdir(descriptor)
        os.chroot(".")
    os.close(descriptor)


def prefer_in_memory_shortage() -> None:
    """Have the kernel end this process rather than another when memory is short."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def limit_resources(address_space: int) -> None:
    """Set the resource limits. Call it after all libraries are loaded."""
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends. A change of user clears this."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # It has ended already.
        os._exit(0)


def forbid_new_privileges() -> None:
    """Have exec grant no privileges, from now on. Landlock and the filter require it."""
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def restrict_by_landlock() -> int:
    """Forbid this thread, and those it will start, what Landlock can forbid, except to read files.

    Those are still imported. Return the version of the interface; 0 if the kernel has none, or if
    it is off. See landlock(7).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version: int = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    if version < 1:
        return 0
    files = sum(rights for since, rights in _FILE_RIGHTS.items() if since <= version)
    rules = [files & ~_READ_RIGHTS]
    if version >= _TCP_VERSION:
        rules.append(_TCP_RIGHTS)
    if version >= _SCOPE_VERSION:
        rules.append(_SCOPES)
    attributes = struct.pack(f"={len(rules)}Q", *rules)
    ruleset: int = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return 0
    try:
        return version if libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0 else 0
    finally:
        os.close(ruleset)


def drop_privileges() -> bool:
    """Stop being root, keep other processes from reading our memory; return False if still root."""
    parent = os.getppid()
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):  # A container's root may not be allowed to.
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    # Only now: the change of user clears both.
    die_with_parent(parent)
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return os.geteuid() != 0

"""Prepare a new process and replace it with an engine's program.

It is run as ``python -I -S launch.py PARENT SIGNAL UID GID ARGV…``, so that no code has to run in
the forked copy of a process that has threads. Linux only.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def exec_as(parent: int, signal: int, uid: int, gid: int, argv: list[str]) -> None:
    """Replace this process with `argv`, which gets `signal` when the thread that spawned it ends.

    Unless `uid` is -1, it runs as that user with `gid` as its only group. Only their owner can read
    the files it creates. The signal must be set after changing the user, which clears it.
    """
    os.umask(0o077)
    if uid != -1:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit(1)  # the parent ended before the signal was set
    os.execv(argv[0], argv)  # noqa: S606  no shell is wanted here


if __name__ == "__main__":
    _parent, _signal, _uid, _gid = map(int, sys.argv[1:5])
    exec_as(_parent, _signal, _uid, _gid, argv=sys.argv[5:])

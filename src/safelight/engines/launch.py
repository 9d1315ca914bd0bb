"""Become an engine: the few lines that run between the fork and the engine's own program.

Run by path as a program of its own, ``python -I -S launch.py PARENT SIGNAL UID GID ARGV…``, so that
nothing has to run in the forked copy of a process that has threads. Linux only.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def become(parent: int, signal: int, uid: int, gid: int, argv: list[str]) -> None:
    """Replace this process by `argv`, ended by `signal` when the thread that spawned it ends.

    A `uid` other than -1 is what it runs as, with `gid` as its only group. Files it makes are for
    their owner alone. The signal has to be asked for after the change of user, which clears it.
    """
    os.umask(0o077)
    if uid != -1:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit(1)  # the parent ended before its end could be noticed
    os.execv(argv[0], argv)  # noqa: S606  no shell is wanted here


if __name__ == "__main__":
    _parent, _signal, _uid, _gid = map(int, sys.argv[1:5])
    become(_parent, _signal, _uid, _gid, argv=sys.argv[5:])

"""Set the priority of a decoder: that of any process while a client waits, otherwise a low one.

A process's niceness counts only within its scheduling group. Where no control groups are in use,
Linux makes each session a group (autogroup, sched(7)), which shares the processors equally with
others. So each decoder gets a session of its own, and a niced one also raises the niceness of that.
"""

import os
import time
from pathlib import Path
from typing import Final

_NICENESS: Final = 10
_TRIES: Final = 5
_PAUSE: Final = 0.1
_FIRST_CGROUP_NAMESPACE: Final = 0xEFFFFFFB  # linux/proc_ns.h

_AUTOGROUP: Final = Path("/proc/self/autogroup")
_ENABLED: Final = Path("/proc/sys/kernel/sched_autogroup_enabled")
_NAMESPACE: Final = Path("/proc/self/ns/cgroup")
_CGROUPS: Final = Path("/proc/self/cgroup")


def set_priority(*, background: bool) -> None:
    """Start a session, and in the `background` lower its priority and that of this process.

    Call it before any thread starts. It can't be undone: only root may raise a priority.
    """
    os.setsid()
    if not background:
        # Its processor goes to the server at once when that wakes up, but its share is the usual.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        return
    niceness = os.nice(_NICENESS)
    if _set_autogroup_niceness(niceness) and _is_autogroup_in_force():
        # A process that wakes up may now preempt a decoder at once. The group still gets the share
        # of its niceness; without the group, a decoder would starve beside a busy process.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _set_autogroup_niceness(niceness: int) -> bool:
    """Set the niceness of the session. Return whether the system supports that."""
    for _ in range(_TRIES):
        try:
            _AUTOGROUP.write_text(str(niceness))
        except BlockingIOError:  # Limited to ten times a second for all users but root.
            time.sleep(_PAUSE)
        except OSError:
            return False
        else:
            return True
    return False


def _is_autogroup_in_force() -> bool:
    """Whether the scheduler uses the session as a group: only in the root control group.

    Within a container, its own control group appears as the root. So the namespace has to be the
    first one.
    """
    try:
        return (
            _ENABLED.read_text().strip() == "1"
            and _NAMESPACE.stat().st_ino == _FIRST_CGROUP_NAMESPACE
            and _control_group() == "/"
        )
    except OSError:
        return False


def _control_group() -> str | None:
    """Return the control group that shares processors among this process and others."""
    lines = (line.split(":", 2) for line in _CGROUPS.read_text().splitlines())
    paths = {controllers: path for _, controllers, path in lines}
    cpu_paths = (path for names, path in paths.items() if "cpu" in names.split(","))
    return next(cpu_paths, paths.get(""))

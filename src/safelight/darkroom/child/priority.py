"""Lower a decoder's priority, so that the server and all other processes go first.

A process's niceness counts only within its scheduling group. Where no control groups are in use,
Linux makes each session a group (autogroup, sched(7)). Decoders have a session of their own, so the
niceness of its group has to be raised, too.
"""

import math
import os
import time
from pathlib import Path
from typing import Final

_NICENESS: Final = 10
_WEIGHT_STEP: Final = 1.25
"""By which a group's share grows for each step of niceness."""
_TRIES: Final = 5
_PAUSE: Final = 0.1
_FIRST_CGROUP_NAMESPACE: Final = 0xEFFFFFFB  # linux/proc_ns.h

_AUTOGROUP: Final = Path("/proc/self/autogroup")
_ENABLED: Final = Path("/proc/sys/kernel/sched_autogroup_enabled")
_NAMESPACE: Final = Path("/proc/self/ns/cgroup")
_CGROUPS: Final = Path("/proc/self/cgroup")


def lower_priority(processes: int = 1) -> None:
    """Raise the niceness of this process and its session. Call it before any thread starts.

    The session's is as much lower as gives each of its `processes` the share of a session alone.
    """
    niceness = os.nice(_NICENESS)
    lower = round(math.log(processes, _WEIGHT_STEP))
    if _set_autogroup_niceness(max(0, niceness - lower)) and _is_autogroup_in_force():
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

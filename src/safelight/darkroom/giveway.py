"""How a child gives way: to the server first, and to whatever else its machine has to do.

The niceness of a process counts within its group only. Linux makes each session a group of its own
where nobody else has made groups (autogroup, sched(7)), and a child is in a session of its own: so
its group has to be made nice as well.
"""

import os
import time
from pathlib import Path
from typing import Final

_NICENESS: Final = 10
_TRIES: Final = 5
_PAUSE: Final = 0.1
_FIRST_CGROUP_NAMESPACE: Final = 0xEFFFFFFB  # linux/proc_ns.h

_GROUP: Final = Path("/proc/self/autogroup")
_ENABLED: Final = Path("/proc/sys/kernel/sched_autogroup_enabled")
_NAMESPACE: Final = Path("/proc/self/ns/cgroup")
_CGROUPS: Final = Path("/proc/self/cgroup")


def give_way() -> None:
    """Make this process nice, and its session. Call it before any thread is started."""
    niceness = os.nice(_NICENESS)
    if _make_session_nice(niceness) and _session_is_the_group():
        # Whoever wakes up may now have the processor of a child as if it were idle. The group keeps
        # a niceness's share. Anywhere else a child would starve beside a process that computes.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _make_session_nice(niceness: int) -> bool:
    """Whether the system has such groups, and took it."""
    for _ in range(_TRIES):
        try:
            _GROUP.write_text(str(niceness))
        except BlockingIOError:  # Ten times a second for all users of a machine but root.
            time.sleep(_PAUSE)
        except OSError:
            return False
        else:
            return True
    return False


def _session_is_the_group() -> bool:
    """Whether that group is what counts, which is where no control group is made for us.

    A container sees its own control group as the first one, so it has to be the first namespace.
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
    """Tell in which control group this process is, of those that share the processors."""
    lines = (line.split(":", 2) for line in _CGROUPS.read_text().splitlines())
    paths = {controllers: path for _, controllers, path in lines}
    of_processors = (path for names, path in paths.items() if "cpu" in names.split(","))
    return next(of_processors, paths.get(""))

"""What the kernel tells of a process: see proc_pid_stat(5)."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_STATE, _USER_TIME, _SYSTEM_TIME = 0, 11, 12


def processor_time(pid: int) -> float:
    """Seconds of processor time that all threads of a process have had; 0.0 if it is gone."""
    with suppress(OSError):
        fields = _fields(Path(f"/proc/{pid}/stat"))
        return (int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])) / _TICKS
    return 0.0


def wants_to_run(pid: int) -> bool:
    """Whether any thread of a process runs, or would if it had a processor."""
    with suppress(OSError):
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return any(_state(task / "stat") == "R" for task in tasks)
    return False


def _state(stat: Path) -> str:
    with suppress(OSError):  # A thread that has just ended.
        return _fields(stat)[_STATE]
    return ""


def _fields(stat: Path) -> list[str]:
    """Give what follows the name, in which anything may stand."""
    return stat.read_text().rpartition(")")[2].split()

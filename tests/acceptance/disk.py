"""A small disk, in memory, that one process and its children see and nobody else."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_MOUNT = 'mount -t tmpfs -o size="$0",mode=711 none "$1" && shift && exec "$@"'


def can_be_mounted() -> bool:
    """Whether this process may mount anything."""
    program = shutil.which("unshare")
    return program is not None and not subprocess.call(
        [program, "--mount", "true"], stderr=subprocess.DEVNULL
    )


@dataclass(frozen=True, slots=True)
class Disk:
    """Where it is mounted, and its size in bytes."""

    place: Path
    size: int

    def before(self) -> tuple[str, ...]:
        """What to put before a command, so that it has the disk."""
        return ("unshare", "--mount", "sh", "-c", _MOUNT, str(self.size), str(self.place))

    def seen_by(self, pid: int) -> Path:
        """The disk, by way of a process that has it."""
        return Path(f"/proc/{pid}/root{self.place}")


def fill(folder: Path, *, but: int) -> Path:
    """Write a file that leaves no more than so many bytes free."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free - but)
    return filler

"""Mount a small in-memory disk that only one process and its children see."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_MOUNT = 'mount -t tmpfs -o size="$0",mode=711 none "$1" && shift && exec "$@"'


def can_be_mounted() -> bool:
    """Return whether this process may mount file systems."""
    program = shutil.which("unshare")
    return program is not None and not subprocess.call(
        [program, "--mount", "true"], stderr=subprocess.DEVNULL
    )


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of `size` bytes."""

    mount_point: Path
    size: int

    def command_prefix(self) -> tuple[str, ...]:
        """Return what to put before a command, so that it runs with the disk."""
        return ("unshare", "--mount", "sh", "-c", _MOUNT, str(self.size), str(self.mount_point))

    def path_in(self, pid: int) -> Path:
        """Return the disk's path for other processes, through a process that has it."""
        return Path(f"/proc/{pid}/root{self.mount_point}")


def fill(folder: Path, *, leave: int) -> Path:
    """Write a file that leaves this many bytes free."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free - leave)
    return filler

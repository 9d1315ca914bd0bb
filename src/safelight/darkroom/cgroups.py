"""The memory that control groups leave to this process: cgroups(7), versions 1 and 2."""

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

_PROC: Final = Path("/proc/self")
_LIMITS: Final = {
    "cgroup2": ("memory.max", "memory.high"),
    "cgroup": ("memory.limit_in_bytes",),
}
"""The files with a limit, by the type of the file system. Above `memory.high`, the kernel slows the
processes of a group down until they hardly move."""


def memory_limits(proc: Path = _PROC) -> Iterator[int]:
    """Yield the limits (bytes) of the groups of this process, and of those that these are in.

    Tests give another `proc`.
    """
    try:
        groups = _groups((proc / "cgroup").read_text())
        mounts = (proc / "mountinfo").read_text().splitlines()
    except OSError:
        return
    for mount in mounts:
        mounted, _, kind = mount.partition(" - ")
        fields, (kind, _, options, *_) = mounted.split(), kind.split()
        if kind == "cgroup" and "memory" not in options.split(","):
            continue
        if kind in _LIMITS and (group := groups.get(kind)):
            for folder in _folders(group, PurePosixPath(fields[3]), Path(fields[4])):
                yield from _read(folder, _LIMITS[kind])


def _groups(text: str) -> dict[str, PurePosixPath]:
    """Return the path of the group that limits memory, for each version that is in use."""
    groups = {}
    for line in text.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            groups["cgroup2"] = PurePosixPath(path)
        elif "memory" in controllers.split(","):
            groups["cgroup"] = PurePosixPath(path)
    return groups


def _folders(group: PurePosixPath, root: PurePosixPath, mount: Path) -> Iterator[Path]:
    """Yield the folder of a group, and of each that it is in, up to the mounted one.

    In a container, `group` may be a path of the host, of which only the container's own is mounted.
    """
    below = group.relative_to(root) if group.is_relative_to(root) else PurePosixPath()
    folder = mount / below
    yield folder
    for parent in folder.parents:
        if not parent.is_relative_to(mount):
            return
        yield parent


def _read(folder: Path, names: tuple[str, ...]) -> Iterator[int]:
    for name in names:
        with contextlib.suppress(OSError, ValueError):  # Missing, or the word "max".
            yield int((folder / name).read_text())

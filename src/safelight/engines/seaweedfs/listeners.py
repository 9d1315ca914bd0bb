"""Find the process that listens on a TCP port, in Linux's tables of sockets."""

import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from safelight.engines.seaweedfs.certificates import HOST

_LISTEN = "0A"
_ANY = {"00000000", "0" * 32}


def find_holder(port: int) -> str | None:
    """Return the id and name of a process that listens on the port, if we may see it."""
    inodes = {f"socket:[{inode}]" for _, inode in _listening(port)}
    for proc in Path("/proc").iterdir():
        if not proc.name.isdigit():
            continue
        if inodes & _files_of(proc):
            with suppress(OSError):
                name = (proc / "comm").read_text(errors="replace").strip()
                return f"process {proc.name} ({name})"
    return None


def is_held_by(pid: int, port: int) -> bool:
    """Return whether this process, and no other, accepts the connections to 127.0.0.1:`port`."""
    hosts = _ANY | _spellings(HOST)
    inodes = {f"socket:[{inode}]" for host, inode in _listening(port) if host in hosts}
    return bool(inodes) and inodes <= _files_of(Path(f"/proc/{pid}"))


def _files_of(proc: Path) -> set[str]:
    """Return the open files of a process, if we may see them."""
    files = set[str]()
    with suppress(OSError):
        for fd in (proc / "fd").iterdir():
            with suppress(OSError):  # closed by now
                files.add(str(fd.readlink()))
    return files


def _spellings(host: str) -> set[str]:
    """Return an IPv4 address as the kernel prints it, in both tables."""
    word = int.from_bytes(bytes(map(int, host.split("."))), sys.byteorder)
    mapped = int.from_bytes(b"\0\0\xff\xff", sys.byteorder)
    return {f"{word:08X}", f"{0:016X}{mapped:08X}{word:08X}"}


def _listening(port: int) -> Iterable[tuple[str, str]]:
    """Yield the address (in hexadecimal) and the inode of each socket that listens on the port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            host, _, number = columns[1].rpartition(":")
            if columns[3] == _LISTEN and int(number, 16) == port:
                yield host, columns[9]

"""The TCP ports of the embedded object store: chosen once, and kept, since links name one of them.

The inner parts of SeaweedFS find the gRPC of one another 10000 above their ports, so such a port is
only good if both are free.
"""

import json
import os
import random
import socket
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from safelight.engines.paths import write_whole
from safelight.errors import EngineError

GRPC = 10_000
"""The distance from a part's port to that of its gRPC."""

USUAL: Mapping[str, int] = {
    "s3": 8333,
    "s3_grpc": 18333,
    "filer": 8888,
    "master": 9333,
    "volume": 9340,
    "admin": 23646,
}
_SOCKETS = Path("/tmp")  # noqa: S108  where SeaweedFS puts its gRPC sockets, whatever TMPDIR says
_BELOW_EPHEMERAL = range(10_000, 22_000)
"""With 10000 added, still below the ports that the kernel gives to outgoing connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where each part of SeaweedFS listens."""

    s3: int
    s3_grpc: int
    filer: int
    master: int
    volume: int
    admin: int


def kept(path: Path) -> Ports:
    """Read the ports at `path`; or choose, the usual ones where they are free, and keep them.

    Ports of the inner parts that were taken since are chosen anew: nobody else knows them.
    EngineError if the S3 port is taken, or the file can't be understood.
    """
    before = _read(path)
    if before is not None and not _listenable(before.s3):
        raise _taken(before.s3)
    ports = _chosen(asdict(before) if before else USUAL)
    if ports != before:
        write_whole(path, json.dumps(asdict(ports)).encode())
    return ports


def clear_sockets(ports: Ports) -> None:
    """Remove the gRPC sockets that SeaweedFS leaves in the temporary folder when it ends."""
    grpc = {ports.s3_grpc, *(port + GRPC for port in asdict(ports).values())}
    for path in _SOCKETS.glob("seaweedfs-*-grpc-*.sock"):
        number = path.stem.rpartition("-")[2]
        if number.isdigit() and int(number) in grpc and path.lstat().st_uid == os.geteuid():
            path.unlink(missing_ok=True)


def _read(path: Path) -> Ports | None:
    if not path.exists():
        return None
    try:
        return Ports(**{name: int(port) for name, port in json.loads(path.read_bytes()).items()})
    except (ValueError, TypeError, AttributeError) as error:
        raise EngineError(f"The ports in {path} can't be read: put back a copy of it.") from error


def _chosen(wanted: Mapping[str, int]) -> Ports:
    chosen: dict[str, int] = {}
    used: set[int] = set()
    for part in fields(Ports):
        usual = wanted[part.name]
        others = random.sample(_BELOW_EPHEMERAL, 500)
        chosen[part.name] = _first_free((usual, *others), part.name, used)
    return Ports(**chosen)


def _first_free(candidates: Iterable[int], part: str, used: set[int]) -> int:
    for port in candidates:
        needed = _needed(part, port)
        if not used & needed and all(map(_free, needed)):
            used |= needed
            return port
    raise EngineError("No free TCP port was found for the object store on 127.0.0.1.")


def _needed(part: str, port: int) -> set[int]:
    return {port} if part.startswith("s3") else {port, port + GRPC}


def _free(port: int) -> bool:
    sockets = _SOCKETS.glob(f"seaweedfs-*-grpc-{port}.sock")
    return _listenable(port) and all(each.lstat().st_uid == os.geteuid() for each in sockets)


def _listenable(port: int) -> bool:
    """Whether nobody listens at the port, at any address: SeaweedFS wants it so."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104  tried, and given up at once
            probe.listen()
        except OSError:
            return False
        return True


def _taken(port: int) -> EngineError:
    who = _holder(port)
    whom = f" by {who}" if who else ""
    return EngineError(
        f"Port {port} of the embedded object store is taken{whom}. It is part of every link given"
        " out, so no other is chosen: free it and start again."
    )


def _holder(port: int) -> str | None:
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for proc in Path("/proc").iterdir():
        if not proc.name.isdigit():
            continue
        try:
            if any(str(fd.readlink()) in inodes for fd in (proc / "fd").iterdir()):
                name = (proc / "comm").read_text(errors="replace").strip()
                return f"process {proc.name} ({name})"
        except OSError:
            continue
    return None


def _listening_inodes(port: int) -> Iterable[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port:
                yield columns[9]

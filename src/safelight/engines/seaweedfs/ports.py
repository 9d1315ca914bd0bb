"""The TCP ports of the embedded object store: chosen once, since links contain one of them.

Its S3 API has two ports: browsers use `s3`, and the service uses `s3_tls`, by TLS.

SeaweedFS's internal components expect gRPC 10000 above their ports, so both must be free.
"""

import json
import os
import random
import socket
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from safelight.engines.seaweedfs.listeners import find_holder
from safelight.errors import EngineError
from safelight.private_files import read_private_file, write_private_file

GRPC = 10_000
"""Added to a component's port, this gives its gRPC port."""

PREFERRED: Mapping[str, int] = {
    "s3": 8333,
    "s3_tls": 8334,
    "s3_grpc": 18333,
    "filer": 8888,
    "master": 9333,
    "volume": 9340,
    "admin": 23646,
}
_SOCKETS = Path("/tmp")  # noqa: S108  SeaweedFS puts its gRPC sockets here, ignoring TMPDIR
_BELOW_EPHEMERAL = range(10_000, 22_000)
"""With 10000 added, these are still below the kernel's ports for outgoing connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The port of each component of SeaweedFS."""

    s3: int
    s3_tls: int
    s3_grpc: int
    filer: int
    master: int
    volume: int
    admin: int


def load_or_choose(
    path: Path, *, failed: Ports | None = None, required: Collection[str] = ("s3",)
) -> Ports:
    """Return the ports saved at `path`; if there are none, choose and save them.

    Ports that are in use by now are replaced, and so are those of a server that just `failed`:
    another program may want them too. The `required` ones are never replaced, since others refer to
    them. Raises EngineError if one of these is in use or the file can't be parsed.
    """
    saved = _read(path)
    kept = {component: saved[component] for component in required if component in saved}
    for component, port in kept.items():
        if not _can_listen(port):
            raise _port_in_use(port, component)
    avoided = set(asdict(failed).values()) if failed else set[int]()
    ports = _choose({**PREFERRED, **saved}, kept, avoided)
    if asdict(ports) != saved:
        write_private_file(path, json.dumps(asdict(ports)).encode())
    return ports


def clear_sockets(ports: Ports) -> None:
    """Remove the gRPC sockets that SeaweedFS leaves in the temporary folder."""
    grpc = {ports.s3_grpc, *(port + GRPC for port in asdict(ports).values())}
    for path in _SOCKETS.glob("seaweedfs-*-grpc-*.sock"):
        number = path.stem.rpartition("-")[2]
        if number.isdigit() and int(number) in grpc and path.lstat().st_uid == os.geteuid():
            path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, int]:
    """Return the saved ports; an earlier version saved fewer."""
    if not path.exists():
        return {}
    try:
        saved = {name: int(port) for name, port in json.loads(read_private_file(path)).items()}
        Ports(**{**PREFERRED, **saved, "s3": saved["s3"]})
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise EngineError(
            f"The ports in {path} can't be read: restore the file from a backup."
        ) from error
    return saved


def _choose(preferred: Mapping[str, int], kept: Mapping[str, int], avoided: set[int]) -> Ports:
    chosen = dict(kept)
    used = avoided | set(kept.values())
    for component in [field.name for field in fields(Ports) if field.name not in kept]:
        others = random.sample(_BELOW_EPHEMERAL, 500)
        chosen[component] = _first_free((preferred[component], *others), component, used)
    return Ports(**chosen)


def _first_free(candidates: Iterable[int], component: str, used: set[int]) -> int:
    for port in candidates:
        needed = _ports_of(component, port)
        if not used & needed and all(map(_is_free, needed)):
            used |= needed
            return port
    raise EngineError(
        "No free TCP ports were found for the embedded object store: stop another server, or set"
        " SAFELIGHT_S3__ENDPOINT_URL to use your own store."
    )


def _ports_of(component: str, port: int) -> set[int]:
    return {port} if component.startswith("s3") else {port, port + GRPC}


def _is_free(port: int) -> bool:
    sockets = _SOCKETS.glob(f"seaweedfs-*-grpc-{port}.sock")
    return _can_listen(port) and all(path.lstat().st_uid == os.geteuid() for path in sockets)


def _can_listen(port: int) -> bool:
    """Return whether the port is free at every address, as SeaweedFS requires."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104  closed again at once
            probe.listen()
        except OSError:
            return False
        return True


def _port_in_use(port: int, component: str) -> EngineError:
    holder = find_holder(port)
    by = f" by {holder}" if holder else ""
    advice = (
        "Every link contains this port, so no other is chosen: free it and start again."
        if component == "s3"
        else "The running service uses this port, so no other is chosen: free it."
    )
    return EngineError(f"Port {port} of the embedded object store is in use{by}. {advice}")

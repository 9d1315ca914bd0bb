"""This machine's addresses and ports."""

import random
import socket
from collections.abc import Iterator
from ipaddress import ip_address

import psutil

from support.determinism import share, worker_number

GRPC = 10_000
"""SeaweedFS adds this to a port for gRPC."""


def addresses(family: socket.AddressFamily) -> list[str]:
    """List the addresses that other machines can reach."""
    found = [
        entry.address
        for interface in psutil.net_if_addrs().values()
        for entry in interface
        if entry.family == family and "%" not in entry.address
    ]
    return [address for address in found if not _is_local(address)]


def free_port() -> int:
    """Return a port that nothing listens on and that this worker hasn't chosen before.

    It is none of those that the kernel gives to outgoing connections, nor of another worker: it is
    still free when a server is started there, and while that is restarted.
    """
    return next(port for port in _ports if _is_free(port))


def free_port_for_grpc() -> int:
    """Return a port that is free together with its gRPC port."""
    return next(port for port in _grpc_ports if _is_free(port) and _is_free(port + GRPC))


def _shuffled(of: range) -> Iterator[int]:
    mine = share(of, worker_number())
    yield from random.sample(mine, len(mine))


_ports = _shuffled(range(30_000, 32_768))
_grpc_ports = _shuffled(range(10_000, 20_000))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def has_ipv6() -> bool:
    """Return whether this machine has the address ::1."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def _is_local(address: str) -> bool:
    parsed = ip_address(address)
    return parsed.is_loopback or parsed.is_link_local

"""This machine's addresses and ports."""

import socket
from ipaddress import ip_address

import psutil


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
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


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

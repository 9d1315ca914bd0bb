"""The addresses of this machine that others of its network can reach, if there are any."""

import socket
from ipaddress import ip_address

import psutil


def addresses(family: socket.AddressFamily) -> list[str]:
    found = [
        each.address
        for interface in psutil.net_if_addrs().values()
        for each in interface
        if each.family == family and "%" not in each.address
    ]
    return [each for each in found if not _is_local(each)]


def _is_local(address: str) -> bool:
    parsed = ip_address(address)
    return parsed.is_loopback or parsed.is_link_local

"""The client behind trusted proxies: its address, and the scheme and host that it used.

This module alone reads X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host. A proxy appends to
what it received, so only what the trusted proxies themselves appended is believed.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import repeat
from operator import contains
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PROXY_HOST: Final = "safelight.proxy_host"
"""In the scope: the Host header of the last proxy, where X-Forwarded-Host has replaced it.

A page can set X-Forwarded-Host after DNS rebinding, but not Host, so both have to be allowed.
"""

_MAX_HOPS: Final = 32
_with_port = re.compile(
    r"\[(?P<v6>[0-9a-f:.]+)\](?::[0-9]+)?|(?P<v4>[0-9.]+):[0-9]+", re.IGNORECASE
).fullmatch


@lru_cache(maxsize=64)
def parse_address(text: str) -> Address | None:
    """Return an IP address, without its zone, and an IPv4-mapped one as IPv4; else None."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.version == 6 and address.ipv4_mapped) or address


def client_address(connection: HTTPConnection) -> Address | None:
    """Return the address of the client, behind trusted proxies; None if there is none.

    Everything that depends on the client's address uses this: throttling, sessions, logs, limits.
    """
    return parse_address(connection.client.host) if connection.client else None


class TrustedProxies:
    """Determines the client of a request by the networks of the trusted proxies."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(networks)
        self.is_trusted = lru_cache(maxsize=64)(self._find)
        """Return whether an address is that of a trusted proxy."""

    def _find(self, address: Address | None) -> bool:
        return address is not None and any(map(contains, self._networks, repeat(address)))

    def find_client(self, peer: Address, forwarded_for: Iterable[bytes]) -> Address:
        """Return the client's address by the connection's peer and the X-Forwarded-For headers.

        The list is read from its end, past trusted proxies. If an entry is no address, the client
        is unknown, and the last proxy's address stands for it.
        """
        client = peer
        for text in _from_last(forwarded_for):
            if not self.is_trusted(client):
                break
            address = _parse_entry(text)
            if address is None:
                break
            client = address
        return client

    def apply(self, scope: Scope) -> None:
        """Set the client, the scheme and the Host header of a request's scope to the client's own.

        Changes nothing if the connection doesn't come from a trusted proxy, except that the
        client's address is written in its standard form.
        """
        peer = parse_address(scope["client"][0]) if scope.get("client") else None
        if peer is None:
            return
        headers: dict[bytes, list[bytes]] = {}
        if self.is_trusted(peer):
            for name, value in scope["headers"]:
                if name.startswith(b"x-forwarded-"):
                    headers.setdefault(name, []).append(value)
        if not headers:
            scope["client"] = (str(peer), scope["client"][1])
            return
        client = self.find_client(peer, headers.get(b"x-forwarded-for", ()))
        scope["client"] = (str(client), scope["client"][1] if client == peer else 0)
        scheme = next(_from_last(headers.get(b"x-forwarded-proto", ())), "").lower()
        if scheme in {"http", "https"}:
            scope["scheme"] = scheme
        if host := next(_from_last(headers.get(b"x-forwarded-host", ())), ""):
            _replace_host(scope, host.encode("latin-1"))


def _from_last(values: Iterable[bytes]) -> Iterator[str]:
    """Yield the entries of a header that is a list, the last ones first."""
    entries = b",".join(values).decode("latin-1").rsplit(",", _MAX_HOPS)
    return (entry.strip() for entry in reversed(entries[-_MAX_HOPS:]))


def _parse_entry(text: str) -> Address | None:
    """Return the address of an entry in X-Forwarded-For, which may have a port."""
    found = _with_port(text)
    return parse_address((found["v6"] or found["v4"]) if found else text)


def _replace_host(scope: Scope, host: bytes) -> None:
    original = [value for name, value in scope["headers"] if name == b"host"]
    others = [(name, value) for name, value in scope["headers"] if name != b"host"]
    scope["headers"] = [(b"host", host), *others]
    scope[PROXY_HOST] = b",".join(original).decode("latin-1")

"""Access to the embedded store at the other addresses of the service: ::1, and on the network.

SeaweedFS binds all its components to one address, so it stays on 127.0.0.1. A relay opens its S3
port, and only that, at the addresses where the service listens.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import psutil

from safelight.errors import SettingsError
from safelight.server.listeners import ANY_ADDRESS, NO_SUCH_ADDRESS, listen_addresses
from safelight.server.relay import Relay
from safelight.settings import Settings
from safelight.web.http.connections import ConnectionLimiter

_STORE_HOST: Final = "127.0.0.1"
_OUTSIDE: Final = "203.0.113.1"
"""An address from a documentation range (RFC 5737), which no machine has."""
_BACKLOG: Final = 256
_RECHECK: Final = 0.01
_RETRY_CONNECT: Final = 0.1
_RETRY_LISTEN: Final = 5.0
"""Seconds until the store is checked again: after its connection ended, while it is down, and
while its port is taken at another address."""

_log = logging.getLogger("safelight.cli")


def lan_addresses(settings: Settings) -> list[str]:
    """List the non-loopback addresses at which the service is reachable.

    The address of the default route comes first: others may belong to networks of virtual machines
    or containers, which a phone can't reach.
    """
    host = settings.host.strip("[]")
    if settings.on_loopback:
        return []
    if host not in ANY_ADDRESS:
        return [host]
    found = [
        entry.address
        for interface in psutil.net_if_addrs().values()
        for entry in interface
        if entry.family == socket.AF_INET or (host == "::" and entry.family == socket.AF_INET6)
    ]
    default = _default_route_address()
    return sorted(filter(_is_external, found), key=lambda address: address != default)


def relay_addresses(settings: Settings) -> list[str]:
    """List the addresses at which the store has to be reachable: all those of the service."""
    host = settings.host.strip("[]")
    if host in ANY_ADDRESS:
        return [*lan_addresses(settings), "::1"]
    return listen_addresses(settings)


def has_remote_proxies(settings: Settings) -> bool:
    """Whether a trusted proxy on another machine, or in another container, needs the store.

    The service then listens at an address that the proxy reaches, and clients reach the embedded
    store by the proxy alone.
    """
    return (
        settings.s3.endpoint_url is None
        and settings.s3.public_endpoint_url is not None
        and not settings.on_loopback
        and not all(network.is_loopback for network in settings.trusted_proxies)
    )


@asynccontextmanager
async def open_relays(
    store_url: str,
    addresses: list[str],
    limiter: ConnectionLimiter,
    *,
    is_running: Callable[[], bool],
    is_allowed: Callable[[str], bool] = lambda _address: True,
) -> AsyncIterator[None]:
    """Relay connections at these addresses to the store, at the store's own port.

    Only connections of addresses for which `is_allowed` returns True are relayed. Nothing is
    relayed while `is_running` returns False: another program may have the port then.
    Raises SettingsError if the port is taken at one of the addresses.
    """
    port = urlsplit(store_url).port or 80
    listener = _RelayListener(
        port, addresses, Relay(port, limiter, is_allowed=is_allowed), is_running
    )
    await listener.open()
    following = asyncio.create_task(listener.follow_store())
    try:
        yield
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await listener.shut_down()


class _RelayListener:
    """Listens for the relay while the store is up.

    SeaweedFS doesn't start if its S3 port is taken at any address of the machine, whichever it
    binds. So after the store dies, the relay has to close its ports until the store is back.
    """

    def __init__(
        self,
        port: int,
        addresses: list[str],
        relay: Relay,
        is_running: Callable[[], bool],
    ) -> None:
        resolved = dict.fromkeys(map(_resolve, addresses))
        self._port = port
        self._is_running = is_running
        self._addresses = [address for address in resolved if address != _STORE_HOST]
        self._relay = relay
        self._servers: list[asyncio.Server] = []

    async def open(self) -> None:
        """Listen at all addresses. Raises SettingsError."""
        for address in self._addresses:
            try:
                server = await asyncio.start_server(
                    self._relay, address, self._port, limit=self._relay.limit, backlog=_BACKLOG
                )
            except OSError as error:
                if address == "::1" and error.errno in NO_SUCH_ADDRESS:
                    continue
                self.close()
                raise SettingsError(
                    f"Port {self._port} of the photo store is taken at {address}: stop the program"
                    " that uses it."
                ) from error
            self._servers.append(server)

    def close(self) -> None:
        """Stop listening; open connections continue."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def shut_down(self) -> None:
        """Stop listening, and close all connections."""
        self.close()
        await self._relay.close()

    async def follow_store(self) -> None:
        """Close when the store dies and open when it is back, until cancelled.

        A lasting connection to the store shows that it is up; its end is noticed before the
        supervisor starts the store again.
        """
        while self._addresses:
            if not self._is_running():
                self.close()
                await asyncio.sleep(_RETRY_CONNECT)
                continue
            try:
                reader, writer = await asyncio.open_connection(_STORE_HOST, self._port)
            except OSError:
                self.close()
                await asyncio.sleep(_RETRY_CONNECT)
                continue
            try:
                if not self._servers:
                    await self.open()
                await reader.read(1)
            except SettingsError as error:
                _log.error("%s", error)
                await asyncio.sleep(_RETRY_LISTEN)
            except OSError:
                pass
            finally:
                writer.transport.abort()
            await asyncio.sleep(_RECHECK)


def _resolve(host: str) -> str:
    """Return the address of a host name, the one that the service listens at."""
    return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])


def _default_route_address() -> str | None:
    """Return this machine's address on its default route, from the routing table alone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_OUTSIDE, 9))  # of a datagram socket: sends nothing
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _is_external(address: str) -> bool:
    parsed = ip_address(address.partition("%")[0])
    return not (parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified)

"""Other machines of the network: their way to the embedded store.

SeaweedFS binds all its parts to one address, so it stays at 127.0.0.1; what opens is a relay to
its S3 port, and that port alone, at the addresses where the service itself listens.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

import psutil

from safelight.cli.relay import Relay
from safelight.errors import SettingsError
from safelight.settings import Settings

_STORES = "127.0.0.1"
"""Where the embedded store listens already."""
_FAR_AWAY = "203.0.113.1"
"""An address of nobody's (RFC 5737): the way there is the way out of this machine."""
_ANY = {"0.0.0.0", "::"}  # noqa: S104  compared, not bound
_BACKLOG = 256
_MOMENT, _PAUSE, _LONG_PAUSE = 0.01, 0.1, 5.0
"""Seconds between looks after the store: when its connection ended, when it is away, and when it
is there but its port can't be had in the network."""

_log = logging.getLogger("safelight.cli")


def addresses(settings: Settings) -> list[str]:
    """List the addresses, other than loopback's, at which the service can be reached.

    First comes the one on the way out of this machine: others may belong to networks of virtual
    machines or containers, where no phone is.
    """
    host = settings.host.strip("[]")
    if settings.on_loopback:
        return []
    if host not in _ANY:
        return [host]
    found = [
        each.address
        for interface in psutil.net_if_addrs().values()
        for each in interface
        if each.family == socket.AF_INET or (host == "::" and each.family == socket.AF_INET6)
    ]
    outward = _outward()
    return sorted(filter(_is_elsewhere, found), key=lambda each: each != outward)


def doors(settings: Settings) -> list[str]:
    """List where the store has to be let through to: all addresses at which the service is."""
    host = settings.host.strip("[]")
    if host not in _ANY:
        return [host]
    return [*addresses(settings), *(["::1"] if host == "::" else [])]


@asynccontextmanager
async def relayed(store: str, at: list[str]) -> AsyncIterator[None]:
    """Pass what comes to the store's port at these addresses on to the store, but its own.

    Raises SettingsError if the port is taken at one of them.
    """
    entrance = _Entrance(urlsplit(store).port or 80, at)
    await entrance.open()
    attendance = asyncio.create_task(entrance.attend())
    try:
        yield
    finally:
        attendance.cancel()
        await asyncio.gather(attendance, return_exceptions=True)
        await entrance.leave()


class _Entrance:
    """Where the relay listens, while the store is there.

    SeaweedFS doesn't start where its S3 port is taken at any address of the machine, whichever it
    is told to bind. So when it has died the relay gives its own up, until it is back.
    """

    def __init__(self, port: int, at: list[str]) -> None:
        self._port = port
        self._at = [each for each in dict.fromkeys(map(_numeric, at)) if each != _STORES]
        self._relay = Relay(port)
        self._open: list[asyncio.Server] = []

    async def open(self) -> None:
        """Listen at every address. SettingsError if that can't be."""
        for address in self._at:
            try:
                server = await asyncio.start_server(
                    self._relay, address, self._port, limit=self._relay.limit, backlog=_BACKLOG
                )
            except OSError as error:
                self.close()
                raise SettingsError(
                    f"The photo store's port {self._port} is taken at {address}: end what uses"
                    " it, or set SAFELIGHT_HOST=127.0.0.1."
                ) from error
            self._open.append(server)

    def close(self) -> None:
        """Listen no more; what is under way goes on."""
        for server in self._open:
            server.close()
        self._open.clear()

    async def leave(self) -> None:
        """Listen no more, and end what is under way."""
        self.close()
        await self._relay.close()

    async def attend(self) -> None:
        """Close when the store dies, and open when it is back, for ever.

        It is known to be there by a connection to it that lasts: its end is noticed sooner than
        whoever starts it again looks after it.
        """
        while self._at:
            try:
                reader, writer = await asyncio.open_connection(_STORES, self._port)
            except OSError:
                self.close()
                await asyncio.sleep(_PAUSE)
                continue
            try:
                if not self._open:
                    await self.open()
                await reader.read(1)
            except SettingsError as error:
                _log.error("%s", error)
                await asyncio.sleep(_LONG_PAUSE)
            except OSError:
                pass
            finally:
                writer.transport.abort()
            await asyncio.sleep(_MOMENT)


def _numeric(host: str) -> str:
    """Give the address at which the service itself listens, if it was told a name."""
    return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])


def _outward() -> str | None:
    """Ask the routing table for the address that goes out of this machine; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_FAR_AWAY, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _is_elsewhere(address: str) -> bool:
    parsed = ip_address(address.partition("%")[0])
    return not (parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified)

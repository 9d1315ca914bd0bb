"""Other machines of the network: their way to the embedded store.

SeaweedFS binds all its parts to one address, so it stays on loopback; what opens is a relay to
its S3 port, and that port alone, at the addresses where the service itself listens.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_address
from typing import cast
from urllib.parse import urlsplit

import psutil

from safelight.errors import SettingsError
from safelight.settings import Settings

_HIGH_WATER = 256 * 1024


def addresses(settings: Settings) -> list[str]:
    """List the addresses, other than loopback's, at which the service can be reached."""
    host = settings.host.strip("[]")
    if settings.on_loopback:
        return []
    if host not in {"0.0.0.0", "::"}:  # noqa: S104  compared, not bound
        return [host]
    found = [
        each.address
        for interface in psutil.net_if_addrs().values()
        for each in interface
        if each.family == socket.AF_INET or (host == "::" and each.family == socket.AF_INET6)
    ]
    return [each for each in found if _is_elsewhere(each)]


@asynccontextmanager
async def relayed(store: str, at: list[str]) -> AsyncIterator[None]:
    """Pass what comes to the store's port at these addresses on to the store.

    Raises SettingsError if the port is taken at one of them.
    """
    port = urlsplit(store).port or 80
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        for address in at:
            try:
                server = await loop.create_server(lambda: _Visitor(port), address, port)
            except OSError as error:
                raise SettingsError(
                    f"The photo store's port {port} is taken at {address}: end what uses it, or"
                    " set SAFELIGHT_HOST=127.0.0.1."
                ) from error
            stack.callback(server.close)
        yield


class _End(asyncio.Protocol):
    """One end of a relayed connection; what arrives goes to the other, as fast as that takes it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclasses
        self.transport.set_write_buffer_limits(high=_HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        if self.other and self.other.transport:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        if self.other and self.other.transport and self.other.transport.can_write_eof():
            self.other.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's
        if self.other and self.other.transport:
            self.other.transport.close()

    def pause_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport:
            with contextlib.suppress(RuntimeError):
                self.other.transport.resume_reading()


class _Visitor(_End):
    """The end that came from the network; what it says before the store is reached is kept."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._early = bytearray()
        self._reaching: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._reaching = asyncio.create_task(self._reach())

    def data_received(self, data: bytes) -> None:
        if self.other:
            super().data_received(data)
        elif len(self._early) < _HIGH_WATER and self.transport:
            self._early += data
        elif self.transport:
            self.transport.close()

    async def _reach(self) -> None:
        store = _End()
        store.other = self
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: store, "127.0.0.1", self._port)
        except OSError:
            store.transport = None
        if store.transport is None or self.transport is None or self.transport.is_closing():
            for end in (store, self):
                if end.transport:
                    end.transport.close()
            return
        self.other = store
        store.transport.write(bytes(self._early))


def _is_elsewhere(address: str) -> bool:
    parsed = ip_address(address.partition("%")[0])
    return not (parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified)

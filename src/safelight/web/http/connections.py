"""Bound the connections of clients, in total and by address.

Each connection costs a file descriptor and memory, and any client can open thousands that do
nothing. When a bound is met, the new connection takes the place of one that has been idle: of the
same address, or, for the total, of the address with the most connections. So an address can't take
the places of others that have fewer.
"""

import logging
import time
from collections.abc import Callable
from ipaddress import IPv6Network
from typing import Final, Protocol

from safelight.web.http.proxies import parse_address

_LOG_INTERVAL: Final = 60.0
"""Seconds between two log lines about the same bound."""
_NETWORK_BITS: Final = 64
"""One client usually has a whole /64 of IPv6 addresses."""

_log = logging.getLogger(__name__)


class Evictable(Protocol):
    """A connection that can be closed for another."""

    def evict(self) -> None:
        """Close at once."""


class ConnectionLimiter:
    """Admits at most `total` connections, and `per_address` of one address.

    Each connection is either idle or busy, and idle when it is admitted; only those that have been
    idle for `min_idle` seconds are closed for others. Addresses for which `is_proxy` returns True
    are bound by the total alone, since they carry the connections of many clients. `name` is for
    the log.
    """

    def __init__(
        self,
        name: str,
        *,
        total: int,
        per_address: int,
        min_idle: float = 0.0,
        is_proxy: Callable[[str], bool] = lambda _address: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self.total = total
        self.per_address = per_address
        self._min_idle = min_idle
        self._is_proxy = is_proxy
        self._clock = clock
        self._clients: dict[Evictable, _Client] = {}
        self._by_address: dict[str, _Client] = {}
        self._logged_at: dict[str, float] = {}

    @property
    def count(self) -> int:
        """The number of open connections."""
        return len(self._clients)

    def admit(self, connection: Evictable, address: str) -> bool:
        """Register a new connection, in place of an idle one if necessary.

        Return False if there is no place: the caller closes the connection.
        """
        key = _key(address)
        client = self._by_address.get(key) or _Client(key)
        if client.count >= self.per_address and not self._is_proxy(address):
            if not self._evict(client):
                self._log_refusal("of one address", self.per_address, address)
                return False
        elif len(self._clients) >= self.total and not self._evict_from_largest(client.count):
            self._log_refusal("in total", self.total, address)
            return False
        self._by_address[key] = client
        self._clients[connection] = client
        client.count += 1
        self.mark_idle(connection)
        return True

    def mark_idle(self, connection: Evictable) -> None:
        """Record that a connection is idle from now on."""
        if client := self._clients.get(connection):
            client.idle.pop(connection, None)
            client.idle[connection] = self._clock()

    def mark_busy(self, connection: Evictable) -> None:
        """Record that a connection is busy, and can't be closed for others."""
        if client := self._clients.get(connection):
            client.idle.pop(connection, None)

    def release(self, connection: Evictable) -> None:
        """Forget a connection that was closed; repeating it does no harm."""
        if client := self._clients.pop(connection, None):
            client.idle.pop(connection, None)
            client.count -= 1
            if not client.count:
                del self._by_address[client.key]

    def _evict_from_largest(self, least: int) -> bool:
        """Close an idle connection of the largest client that has at least `least` connections."""
        clients = [
            client
            for client in self._by_address.values()
            if client.count >= least and self._longest_idle(client)
        ]
        return bool(clients) and self._evict(max(clients, key=lambda client: client.count))

    def _evict(self, client: "_Client") -> bool:
        """Close the client's longest idle connection. Return False if it has none."""
        connection = self._longest_idle(client)
        if connection is None:
            return False
        self._log_limit("idle ones are closed", client.key)
        self.release(connection)
        connection.evict()
        return True

    def _longest_idle(self, client: "_Client") -> Evictable | None:
        connection, since = next(iter(client.idle.items()), (None, 0.0))
        return connection if self._clock() - since >= self._min_idle else None

    def _log_refusal(self, bound: str, limit: int, address: str) -> None:
        self._log_limit(f"new ones are refused, the limit {bound} is {limit}", address)

    def _log_limit(self, event: str, address: str) -> None:
        now = self._clock()
        if now >= self._logged_at.get(event, -_LOG_INTERVAL) + _LOG_INTERVAL:
            self._logged_at[event] = now
            _log.warning(
                "too many connections to the %s (%d): %s, first of %s",
                self._name,
                len(self._clients),
                event,
                address,
            )


class _Client:
    """The connections of one address."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.count = 0
        self.idle: dict[Evictable, float] = {}
        """Since when each idle connection has been idle, the longest idle one first."""


def _key(address: str) -> str:
    """Return the client's address, or its network if that is an IPv6 address."""
    parsed = parse_address(address)
    if parsed is None or parsed.version == 4:
        return str(parsed or address)
    return str(IPv6Network((parsed, _NETWORK_BITS), strict=False))

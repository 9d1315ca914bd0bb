"""Throttle failed attempts to authenticate, by client address and in total."""

import math
import time
from collections.abc import Callable
from datetime import timedelta

from cachetools import LRUCache

from safelight.errors import TooManyAttempts
from safelight.web.http.proxies import Address

_BURST = 10
_REFILL_SECONDS = 6.0
"""Seconds until an address may fail once more."""
_TOTAL_BURST = 20
_TOTAL_REFILL_SECONDS = 1.0
"""Seconds until one more failure is allowed to all addresses together."""
_MAX_ADDRESSES = 10_000
_IPV6_NETWORK_BYTES = 8
"""A client has at least a /64, and can use any address of it."""


class FailureThrottle:
    """Allows `_BURST` failures per address, then one every `_REFILL_SECONDS` seconds.

    Addresses of one IPv6 /64 count as one. The last `_MAX_ADDRESSES` addresses with a failure are
    kept in memory. All addresses together have a budget too, since a client may have many.

    Random secrets (tokens, codes) can't be guessed, so a correct one is accepted whatever failed
    before, and callers only `reject` wrong ones. Secrets that people choose can be guessed: for
    those, callers must `check` first, so that an address over its budget is refused in any case.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: LRUCache[bytes, float] = LRUCache(_MAX_ADDRESSES)
        """When the last failure of each address expires."""
        self._total = 0.0
        """When the last failure of all addresses expires."""

    def check(self, address: Address | None) -> None:
        """Raise TooManyAttempts, with the time to wait, if the address is over its budget."""
        expires = self._failures.get(_key(address), 0.0)
        self._raise_if_over(expires, _BURST, _REFILL_SECONDS)

    def reject(self, address: Address | None) -> None:
        """Count a failure. Raise TooManyAttempts if it is over the address's or the total budget.

        An address over its own budget doesn't use up the total one.
        """
        self.check(address)
        now, key = self._clock(), _key(address)
        self._failures[key] = max(self._failures.get(key, 0.0), now) + _REFILL_SECONDS
        self._raise_if_over(self._total, _TOTAL_BURST, _TOTAL_REFILL_SECONDS)
        self._total = max(self._total, now) + _TOTAL_REFILL_SECONDS

    def _raise_if_over(self, expires: float, burst: int, refill_seconds: float) -> None:
        wait = expires - self._clock() - (burst - 1) * refill_seconds
        if wait > 0:
            raise TooManyAttempts(retry_after=timedelta(seconds=math.ceil(wait)))


def _key(address: Address | None) -> bytes:
    return address.packed[:_IPV6_NETWORK_BYTES] if address else b""

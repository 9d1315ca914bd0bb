"""Wrong tokens, slowed down by the address that they come from."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

from safelight.errors import TooManyAttempts

_AT_ONCE = 10
_ONE_IN = 6.0
"""Seconds until one more may be tried."""
_ADDRESSES = 10_000


class Attempts:
    """Lets an address try `_AT_ONCE` wrong tokens, and then one each `_ONE_IN` seconds.

    Past that nothing that it offers is looked at, right or wrong: else trying on would still
    pay. Kept in memory, for the last `_ADDRESSES` addresses that were wrong.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, float] = OrderedDict()
        """For each address, when its last wrong try will be forgotten."""

    def check(self, address: str) -> None:
        """Raise TooManyAttempts, with the time to wait, if the address has to."""
        wait = self._wrong.get(address, 0.0) - self._clock() - (_AT_ONCE - 1) * _ONE_IN
        if wait > 0:
            raise TooManyAttempts(retry_after=timedelta(seconds=math.ceil(wait)))

    def wrong(self, address: str) -> None:
        """Count a wrong token."""
        self._wrong[address] = max(self._wrong.get(address, 0.0), self._clock()) + _ONE_IN
        self._wrong.move_to_end(address)
        if len(self._wrong) > _ADDRESSES:
            self._wrong.popitem(last=False)

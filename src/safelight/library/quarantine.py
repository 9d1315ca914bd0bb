"""The quarantine: where objects that no row names wait for a week before they are deleted.

An object is copied by the store itself, and only then deleted at its place; so at every moment it
lies at one of the two, or at both.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from safelight import keys
from safelight.errors import NotFound
from safelight.storage import Inventory

KEEP = timedelta(days=7)
"""How long what was taken away can be had back."""

Step = Callable[[str], Awaitable[None]]
"""What is told which crash point was reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An object in quarantine: where it is, whence, since when, and its bytes."""

    place: str
    key: str
    since: date
    size: int


class Quarantine:
    """A prefix of the bucket, with a folder for each day."""

    def __init__(self, storage: Inventory, *, clock: Callable[[], datetime], step: Step) -> None:
        self._storage = storage
        self._clock = clock
        self._step = step

    async def take(self, key: str) -> bool:
        """Take an object away; False if it isn't there any more."""
        try:
            await self._storage.copy(key, keys.quarantined(key, self._clock().date()))
        except NotFound:
            return False
        await self._step("reconcile: copied")
        await self._storage.delete([key])
        await self._step("reconcile: removed")
        return True

    async def find(self, key: str) -> str | None:
        """Tell where an object lies that was taken from a key: the last one, if it was twice."""
        for folder in reversed(await self._storage.folders(keys.QUARANTINE)):
            if await self._storage.size(f"{folder}{key}") is not None:
                return f"{folder}{key}"
        return None

    async def put_back(self, place: str, key: str) -> bool:
        """Put an object back where nothing lies; False if something does, or it is gone."""
        if await self._storage.size(key) is not None:
            return False
        try:
            await self._storage.copy(place, key)
        except NotFound:
            return False
        await self._storage.delete([place])
        return True

    async def contents(self) -> AsyncIterator[list[Kept]]:
        """List everything in it, the oldest first; what we never put there is left out."""
        async for batch in self._storage.listed(keys.QUARANTINE):
            found = ((each, keys.taken_from(each.key)) for each in batch)
            yield [
                Kept(place=each.key, key=taken[1], since=taken[0], size=each.size)
                for each, taken in found
                if taken
            ]

    def is_over(self, kept: Kept) -> bool:
        """Whether it has been kept for as long as is promised."""
        return kept.since + KEEP < self._clock().date()

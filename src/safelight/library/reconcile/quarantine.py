"""The quarantine: orphans are kept there for a week before they are deleted.

The store copies an object, and only then is the object deleted from its place. So at any moment it
is in one of the two places, or in both.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from safelight import keys
from safelight.errors import NotFound
from safelight.storage import Bucket

KEEP = timedelta(days=7)
"""How long an object in quarantine can be put back."""

Step = Callable[[str], Awaitable[None]]
"""A function that is called with each crash point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedObject:
    """An object in quarantine: its key there, its former key, since when, and its size in bytes."""

    quarantine_key: str
    key: str
    since: date
    size: int


class Quarantine:
    """A prefix of the bucket, with a folder for each day."""

    def __init__(self, bucket: Bucket, *, clock: Callable[[], datetime], step: Step) -> None:
        self._bucket = bucket
        self._clock = clock
        self._step = step

    async def move_in(self, key: str) -> bool:
        """Move an object into quarantine. Returns False if it no longer exists."""
        try:
            await self._bucket.copy(key, keys.quarantine_key(key, self._clock().date()))
        except NotFound:
            return False
        await self._step("reconcile: copied")
        await self._bucket.delete([key])
        await self._step("reconcile: removed")
        return True

    async def find(self, key: str) -> str | None:
        """Return the quarantine key of the object that was last moved in from `key`."""
        for folder in reversed(await self._bucket.list_folders(keys.QUARANTINE)):
            if await self._bucket.size(f"{folder}{key}") is not None:
                return f"{folder}{key}"
        return None

    async def put_back(self, quarantine_key: str, key: str) -> bool:
        """Put an object back. Returns False if `key` exists, or if the object no longer does."""
        if await self._bucket.size(key) is not None:
            return False
        try:
            await self._bucket.copy(quarantine_key, key)
        except NotFound:
            return False
        await self._bucket.delete([quarantine_key])
        return True

    async def list_objects(self) -> AsyncIterator[list[QuarantinedObject]]:
        """List the objects in quarantine, oldest first. Objects with other keys are left out."""
        async for batch in self._bucket.list_objects(keys.QUARANTINE):
            parsed = ((stored, keys.parse_quarantine_key(stored.key)) for stored in batch)
            yield [
                QuarantinedObject(
                    quarantine_key=stored.key, key=origin[1], since=origin[0], size=stored.size
                )
                for stored, origin in parsed
                if origin
            ]

    def is_expired(self, quarantined: QuarantinedObject) -> bool:
        """Return whether an object has been kept for longer than KEEP."""
        return quarantined.since + KEEP < self._clock().date()

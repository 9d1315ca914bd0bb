"""What clients sent to ``incoming/``: cleared away once its upload has ended.

It goes as soon as an upload is completed, refused or aborted, or its time is over. Its client can
send again until its last signature dies; so FORGET_AFTER that, when nothing that began by one can
still be under way, it goes a second time, and only then the row.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from safelight import keys
from safelight.catalog import Catalog
from safelight.crash_points import reached
from safelight.errors import Unavailable
from safelight.library.sweep import AT_MOST
from safelight.storage import Multiparts, Storage
from safelight.upload import Upload

_log = logging.getLogger(__name__)

FORGET_AFTER = timedelta(hours=1)
ANSWERED_FOR = timedelta(days=1)
"""How long a completed upload that is completed once more is answered with its photo."""

_BATCH = 200
_AT_ONCE = 8
_TOO_MANY = 3


class Incoming:
    """Clears away what was sent for uploads that have ended, and then their rows."""

    def __init__(
        self,
        catalog: Catalog,
        storage: Storage,
        multiparts: Multiparts,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._rows = catalog.uploads
        self._storage = storage
        self._multiparts = multiparts
        self._clock = clock

    async def clear_soon(self, upload: Upload, *, passing: str) -> None:
        """Clear an ended one away now, or leave it to the job; `passing` names crash points.

        Returns within AT_MOST, and a little for the note.
        """
        try:
            async with asyncio.timeout(AT_MOST.total_seconds()):
                _, errors = await self._emptied([upload])
            if errors:
                raise errors[0]
            reached(f"{passing}: incoming gone")
            await self._rows.note_swept([upload.name], now=self._clock())
        except (Unavailable, TimeoutError) as error:
            _log.warning(
                "upload %s is cleared later: %s", upload.name, error or "the store is slow"
            )

    async def once(self) -> None:
        """Do a whole round: of those whose time is over too. Raises as `clear` does."""
        await self._rows.end_stale(now=self._clock())
        reached("incoming: stale ended")
        try:
            await self.clear()
        finally:
            await self._forget()

    async def clear(self) -> None:
        """Clear away what was sent for every ended one. Raises Unavailable if some stays."""
        await _each_batch(self._rows.unswept, self._cleared)

    async def _forget(self) -> None:
        """Clear old ones away again, and drop their rows."""
        now = self._clock()

        async def old(*, after: str, limit: int) -> list[Upload]:
            return await self._rows.settled(
                expired_before=now - FORGET_AFTER,
                completed_before=now - ANSWERED_FOR,
                after=after,
                limit=limit,
            )

        await _each_batch(old, self._forgotten)

    async def _cleared(self, batch: Sequence[Upload]) -> list[Unavailable]:
        gone, errors = await self._emptied(batch)
        reached("incoming: objects gone")
        if gone:
            await self._rows.note_swept([upload.name for upload in gone], now=self._clock())
        reached("incoming: noted")
        return errors

    async def _forgotten(self, batch: Sequence[Upload]) -> list[Unavailable]:
        gone, errors = await self._emptied(batch)
        if gone:
            await self._rows.forget([upload.name for upload in gone])
        reached("incoming: rows forgotten")
        return errors

    async def _emptied(self, batch: Sequence[Upload]) -> tuple[list[Upload], list[Unavailable]]:
        """Drop objects and unfinished parts: the parts first, since they can become an object.

        Gives those of which nothing is left, and the errors of the others.
        """
        turns = asyncio.Semaphore(_AT_ONCE)

        async def parts_dropped(upload: Upload) -> Unavailable | None:
            try:
                if upload.part_size:
                    async with turns:
                        await self._multiparts.abort(keys.incoming(upload.name))
            except Unavailable as error:
                return error
            return None

        outcomes = await asyncio.gather(*map(parts_dropped, batch))
        gone = [upload for upload, error in zip(batch, outcomes, strict=True) if error is None]
        await self._storage.delete([keys.incoming(upload.name) for upload in gone])
        return gone, [error for error in outcomes if error]


async def _each_batch(
    listed: Callable[..., Awaitable[list[Upload]]],
    done: Callable[[Sequence[Upload]], Awaitable[list[Unavailable]]],
) -> None:
    """Do all that is listed, a batch after the other; what fails holds up no other batch."""
    after, errors = "", list[Unavailable]()
    while len(errors) < _TOO_MANY and (batch := await listed(after=after, limit=_BATCH)):
        try:
            errors += await done(batch)
        except Unavailable as error:
            errors.append(error)
        after = batch[-1].name
    if errors:
        raise errors[0]

"""The intake: row, object, row again, so that a crash leaves only what the rows let undo."""

import asyncio
import logging
import mmap
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import AlongWith, Reservation
from safelight.crash_points import reached
from safelight.errors import Busy, ChecksumMismatch, NotFound, SafelightError
from safelight.library.parts import Parts
from safelight.library.prints import Prints
from safelight.library.sweep import Sweep
from safelight.library.tasks import develop_later, purge_later
from safelight.photo import Caption, ImageFacts, Photo

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of an upload. `created` is False if the owner had the same bytes already."""

    photo: Photo
    created: bool


def _both(one: AlongWith | None, other: AlongWith | None) -> AlongWith | None:
    if one is None or other is None:
        return one or other

    async def both(connection: AsyncConnection, photo: Photo) -> None:
        await other(connection, photo)
        await one(connection, photo)

    return both


class Intake:
    """Makes photos of bytes that were looked at."""

    def __init__(
        self, parts: Parts, sweep: Sweep, prints: Prints, *, clock: Callable[[], datetime]
    ) -> None:
        self._parts = parts
        self._sweep = sweep
        self._prints = prints
        self._clock = clock
        self._cleaning: set[asyncio.Task[None]] = set()

    async def admit(  # noqa: PLR0913  a photo is made of these
        self,
        owner: str,
        file: BinaryIO,
        caption: Caption,
        *,
        sha256: str | None = None,
        within: AsyncConnection | None = None,
        along: AlongWith | None = None,
    ) -> Added:
        """Look at bytes that nobody can change any more, and make a photo of them.

        Whoever the bytes came through, this is their one way in. Raises ChecksumMismatch if they
        aren't those of a `sha256` that is told, and what `Darkroom.inspect` raises. `along` is done
        in the transaction that makes a new photo ready.
        """
        seen = await self._parts.darkroom.inspect(file, digest=True)
        assert seen.sha256 is not None  # noqa: S101  it was asked for
        if sha256 not in {None, seen.sha256}:
            raise ChecksumMismatch
        reached("add: inspected")
        twin = await self._parts.catalog.twin(owner, seen.sha256, within=within)
        if twin:
            return Added(photo=twin, created=False)
        return await self._take(
            owner,
            file,
            caption,
            facts=seen.facts,
            sha256=seen.sha256,
            within=within,
            along=along,
        )

    async def _take(  # noqa: PLR0913  a photo is made of these
        self,
        owner: str,
        file: BinaryIO,
        caption: Caption,
        *,
        facts: ImageFacts,
        sha256: str,
        within: AsyncConnection | None,
        along: AlongWith | None,
    ) -> Added:
        """Write a row, then the objects, then make the row ready, or leave nothing.

        Renditions that the first screen doesn't need are made afterwards, by a job.
        """
        catalog, prints = self._parts.catalog, self._prints
        development = await prints.develop(file, facts)
        facts = replace(facts, details=replace(facts.details, colour=development.colour))
        name = keys.new_name()
        renditions = prints.named(name, development)
        reservation = await catalog.reservations.make(
            owner, caption, name=name, renditions=renditions, now=self._clock()
        )
        reached("add: row reserved")
        try:
            size = await self._store(file, reservation, facts.content_type)
            reached("add: object written")
            await prints.store(renditions, development)
            reached("add: renditions written")
            photo = await catalog.reservations.publish(
                reservation,
                facts,
                size=size,
                sha256=sha256,
                now=self._clock(),
                thumbhash=development.thumbhash,
                within=within,
                along=_both(develop_later if prints.lacks(facts, renditions) else None, along),
            )
        except BaseException as error:
            self._undo(reservation)
            if isinstance(error, NotFound):  # the sweep took it for one that never ends
                raise Busy("The upload took too long: send it again.") from error
            raise
        reached("add: row ready")
        if photo.id != reservation.id:
            self._undo(reservation)
        return Added(photo=photo, created=photo.id == reservation.id)

    async def cleaned_up(self) -> None:
        """Wait a little until what was undone is."""
        if self._cleaning:
            await asyncio.wait(self._cleaning, timeout=5)

    async def _store(self, file: BinaryIO, reservation: Reservation, content_type: str) -> int:
        key = keys.original(reservation.name)
        # Mapped, not read: its pages are the kernel's to drop. Not closed by hand, since a write
        # that was given up may hold on to it a little longer.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        await self._parts.storage.put(key, data, content_type=content_type)
        return len(data)

    def _undo(self, reservation: Reservation) -> None:
        """Undo a reservation, apart from the request, which may be cancelled or late already."""
        task = asyncio.create_task(self._undone(reservation))
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)

    async def _undone(self, reservation: Reservation) -> None:
        try:
            doomed = await self._parts.catalog.reservations.abandon(
                reservation, now=self._clock(), along=purge_later
            )
            if doomed:
                reached("undo: row abandoned")
                await self._sweep.purge_soon(doomed, passing="undo")
        except SafelightError as error:
            _log.warning("reservation %s is left to the sweep: %s", reservation.id, error)

"""The renditions of a library's photos: made, stored, and made up for later."""

import asyncio
import logging
from collections.abc import Sequence
from typing import BinaryIO, Final

from safelight import keys
from safelight.darkroom.pool import Development, Exposure
from safelight.errors import Invalid, NotFound, Unavailable
from safelight.library.parts import Parts
from safelight.photo import ImageFacts, Photo, Preset, Rendition
from safelight.renditions import presets

_log = logging.getLogger(__name__)

_PATIENCE: Final = (1, 10, 60)
"""Seconds until the renditions of a photo are tried again when an engine is away."""


class Prints:
    """Makes renditions. Those that the first screen needs come with the photo, others later."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turn = asyncio.Semaphore(1)
        self._later: set[asyncio.Task[None]] = set()

    async def develop(self, file: BinaryIO, facts: ImageFacts, *, whole: bool) -> Development:
        """Make a new photo's renditions: all of them, or those for the first screen.

        Raises CorruptImage, Busy.
        """
        wanted = self._wanted(facts)
        return await self._parts.darkroom.develop(
            file, facts, wanted if whole else presets.at_once(wanted)
        )

    async def store(self, name: str, development: Development) -> tuple[Rendition, ...]:
        """Write renditions under a prefix that a committed row names."""
        return tuple([await self._stored(name, each) for each in development.exposures])

    def missing(self, photo: Photo) -> tuple[Preset, ...]:
        """Tell which renditions a photo ought to have and hasn't."""
        there = (rendition.key for rendition in photo.renditions)
        return presets.missing(self._wanted(photo.facts), there)

    async def complete(self, photo: Photo) -> Photo:
        """Make what is missing, from the original in the store; run twice, it does no harm.

        Raises NotFound if the photo went meanwhile, and takes its renditions along then.
        """
        missing = self.missing(photo)
        if not missing:
            return photo
        with self._parts.spool.file() as copy:
            await self._parts.storage.fetch(keys.original(photo.name), copy.write)
            development = await self._parts.darkroom.develop(copy.file, photo.facts, missing)
        made = await self.store(photo.name, development)
        renditions = _joined(self._wanted(photo.facts), [*photo.renditions, *made])
        try:
            return await self._parts.catalog.develop(
                photo.owner, photo.id, renditions, development.thumbhash
            )
        except NotFound:
            await self._parts.storage.delete_prefix(keys.prefix(photo.name))
            raise

    def complete_later(self, photo: Photo) -> None:
        """Make what is missing while nobody waits for it, one photo after another."""
        if not self.missing(photo):
            return
        task = asyncio.create_task(self._completed(photo))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def close(self) -> None:
        """Give up what is under way: what is missing then can be made at any time."""
        for task in self._later:
            task.cancel()
        if self._later:
            await asyncio.wait(self._later, timeout=5)

    async def _completed(self, photo: Photo) -> None:
        for seconds in (*_PATIENCE, None):
            try:
                async with self._turn:
                    await self.complete(photo)
            except NotFound:
                return
            except (Unavailable, Invalid) as error:
                _log.warning("photo %s has not all its renditions: %s", photo.id, error)
                if seconds is None or isinstance(error, Invalid):
                    return
                await asyncio.sleep(seconds)
            else:
                return

    def _wanted(self, facts: ImageFacts) -> tuple[Preset, ...]:
        return presets.steps(self._parts.presets, facts.width)

    async def _stored(self, name: str, exposure: Exposure) -> Rendition:
        key = keys.rendition(name, presets.digest(exposure.preset))
        await self._parts.storage.put(
            key, exposure.data, content_type=presets.CONTENT_TYPE, same_size=False
        )
        return Rendition(
            name=exposure.preset.name,
            key=key,
            width=exposure.width,
            height=exposure.height,
            content_type=presets.CONTENT_TYPE,
        )


def _joined(wanted: Sequence[Preset], there: Sequence[Rendition]) -> tuple[Rendition, ...]:
    """Give those renditions that are wanted today, the narrowest first."""
    by_digest = {rendition.key.rpartition("/")[2]: rendition for rendition in there}
    found = (by_digest.get(presets.digest(preset)) for preset in wanted)
    return tuple(rendition for rendition in found if rendition)

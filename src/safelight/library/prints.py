"""The renditions of a library's photos: made, stored, and made up for later."""

import asyncio
from collections.abc import Sequence
from typing import BinaryIO

from safelight import keys
from safelight.darkroom.pool import Development, Exposure
from safelight.errors import NotFound
from safelight.library.parts import Parts
from safelight.photo import ImageFacts, Photo, Preset, Rendition
from safelight.renditions import presets


class Prints:
    """Makes renditions. Those that the first screen needs come with the photo, others later."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turn = asyncio.Semaphore(1)

    async def develop(self, file: BinaryIO, facts: ImageFacts) -> Development:
        """Make those of a new photo's renditions that the first screen needs.

        Raises CorruptImage, Busy.
        """
        return await self._parts.darkroom.develop(file, facts, presets.at_once(self._wanted(facts)))

    def named(self, name: str, development: Development) -> tuple[Rendition, ...]:
        """Tell under which keys the renditions that were made of a photo are to lie."""
        return tuple(_rendition(name, exposure) for exposure in development.exposures)

    async def store(self, renditions: Sequence[Rendition], development: Development) -> None:
        """Write renditions under their keys, whose prefix a committed row names."""
        for rendition, exposure in zip(renditions, development.exposures, strict=True):
            await self._parts.storage.put(
                rendition.key,
                exposure.data,
                content_type=rendition.content_type,
                same_size=False,
            )

    def lacks(self, facts: ImageFacts, there: Sequence[Rendition]) -> tuple[Preset, ...]:
        """Tell which renditions a picture ought to have and hasn't."""
        return presets.missing(self._wanted(facts), (rendition.key for rendition in there))

    async def complete(self, photo: Photo) -> Photo:
        """Make what is missing, from the original in the store; run twice, it does no harm.

        One photo at a time, so that uploads find a child that is free. Raises NotFound if the
        photo went meanwhile, and takes its renditions along then.
        """
        async with self._turn:
            while (completed := await self._completed(photo)) is None:
                photo = await self._parts.catalog.photo(photo.owner, photo.id)
            return completed

    async def _completed(self, photo: Photo) -> Photo | None:
        """Do it once; None if the row has changed meanwhile, so that it has to be read again."""
        missing = self.lacks(photo.facts, photo.renditions)
        if not missing:
            return photo
        with self._parts.spool.file() as copy:
            original = keys.original(photo.name)
            await self._parts.storage.fetch(original, copy.write, size=photo.size)
            development = await self._parts.darkroom.develop(copy.file, photo.facts, missing)
        made = self.named(photo.name, development)
        await self.store(made, development)
        renditions = _joined(self._wanted(photo.facts), [*photo.renditions, *made])
        try:
            return await self._parts.catalog.develop(photo, renditions, development.thumbhash)
        except NotFound:
            await self._parts.storage.delete_prefix(keys.prefix(photo.name))
            raise

    def _wanted(self, facts: ImageFacts) -> tuple[Preset, ...]:
        return presets.steps(self._parts.presets, facts.width)


def _rendition(name: str, exposure: Exposure) -> Rendition:
    return Rendition(
        name=exposure.preset.name,
        key=keys.rendition(name, presets.digest(exposure.preset)),
        width=exposure.width,
        height=exposure.height,
        content_type=presets.CONTENT_TYPE,
    )


def _joined(wanted: Sequence[Preset], there: Sequence[Rendition]) -> tuple[Rendition, ...]:
    """Give those renditions that are wanted today, the narrowest first."""
    by_digest = {rendition.key.rpartition("/")[2]: rendition for rendition in there}
    found = (by_digest.get(presets.digest(preset)) for preset in wanted)
    return tuple(rendition for rendition in found if rendition)

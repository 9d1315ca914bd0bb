"""Make and store the renditions of photos: some at upload, others by a job."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

from safelight import keys
from safelight.catalog import Catalog
from safelight.darkroom.pool import Darkroom, RenderedImage, RenderResult
from safelight.errors import NotFound
from safelight.imaging import presets
from safelight.library.spool import Spool
from safelight.models import ImageFacts, Photo, Preset, Rendition
from safelight.storage import Bucket

_MAX_WAIT: Final = 5.0
"""Seconds that a job lets uploads go first; after that it takes its turn."""
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPhoto:
    """Renditions that have been made but not stored, narrowest first.

    `is_complete` if none is missing of those that a photo gets unasked.
    """

    renditions: tuple[Rendition, ...]
    images: tuple[RenderedImage, ...]
    thumbhash: bytes
    colour: str
    is_complete: bool


class RenditionMaker:
    """Makes renditions: at upload, later by a job, or on demand."""

    def __init__(
        self,
        darkroom: Darkroom,
        bucket: Bucket,
        catalog: Catalog,
        spool: Spool,
        ladder: tuple[Preset, ...],
    ) -> None:
        self._darkroom = darkroom
        self._bucket = bucket
        self._catalog = catalog
        self._spool = spool
        self.ladder = ladder
        self._slots = asyncio.Semaphore(darkroom.queue.servers)

    async def render(
        self,
        file: BinaryIO,
        facts: ImageFacts,
        storage_id: str,
        wanted: Sequence[Preset],
        *,
        owner: str,
    ) -> RenderedPhoto:
        """Render an inspected photo by these presets. Raises CorruptImage, Busy."""
        result = await self._darkroom.render(file, facts, wanted, owner=owner)
        return self.with_keys(result, facts, storage_id)

    def choose_at_upload(self, facts: ImageFacts, *, is_large: bool) -> tuple[Preset, ...]:
        """Return the presets that an inspected photo is rendered by at upload, of the same decode.

        A large photo takes so long to decode that it gets all of them.
        """
        wanted = presets.presets_for_image(self.ladder, facts)
        return wanted if is_large else presets.made_at_upload(wanted)

    def with_keys(self, result: RenderResult, facts: ImageFacts, storage_id: str) -> RenderedPhoto:
        """Return what the darkroom has made of a photo, with the keys of the renditions."""
        missing = set(presets.unasked(presets.presets_for_image(self.ladder, facts)))
        renditions = list[Rendition]()
        for image in result.images:
            missing.discard(image.preset)
            rendition = Rendition(
                name=image.preset.name,
                key=keys.rendition(storage_id, presets.digest(image.preset)),
                width=image.width,
                height=image.height,
                content_type=image.preset.content_type,
            )
            renditions.append(rendition)
        return RenderedPhoto(
            renditions=tuple(renditions),
            images=result.images,
            thumbhash=result.thumbhash,
            colour=result.colour,
            is_complete=not missing,
        )

    async def store(self, rendered: RenderedPhoto, *others: Awaitable[None]) -> None:
        """Store renditions under their keys, whose prefix is that of a committed row.

        Waits for the `others` at the same time, and then raises the first error. Nothing is written
        any more when this returns or raises.
        """
        writes = [
            self._bucket.put(rendition.key, image.data, rendition.content_type, same_size=False)
            for rendition, image in zip(rendered.renditions, rendered.images, strict=True)
        ]
        for result in await asyncio.gather(*others, *writes, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    def missing(self, photo: Photo, *, demanded: bool = False) -> tuple[Preset, ...]:
        """Return the presets of which a photo has no rendition; with `demanded`, all of them."""
        wanted = presets.presets_for_image(self.ladder, photo.facts)
        return presets.missing(wanted if demanded else presets.unasked(wanted), photo.renditions)

    async def render_missing(self, photo: Photo, *, demanded: bool = False) -> Photo:
        """Make the missing renditions from the stored original; repeating it does no harm.

        With `demanded`, also those that are made on demand. Uploads that wait for the darkroom go
        first, for a while. Raises NotFound, and deletes what it stored, if the photo is deleted
        meanwhile.
        """
        claimed_by = secrets.token_hex(16)
        async with self.turn():
            while (completed := await self._complete(photo, claimed_by, demanded=demanded)) is None:
                photo = await self._catalog.photo(photo.owner, photo.id, in_trash_too=True)
            return completed

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Limit how many jobs decode at once, and let uploads go first, for a while."""
        async with self._slots:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_MAX_WAIT):
                    while self._darkroom.queue.waiting:  # noqa: ASYNC110  the queue has no event
                        await asyncio.sleep(_POLL_SECONDS)
            yield

    async def render_stored(self, photo: Photo, wanted: Sequence[Preset]) -> RenderedPhoto:
        """Make renditions of a stored photo, without storing them. Raises as `render` does."""
        with self._spool.file(photo.owner, hashed=False) as copy:
            original = keys.original(photo.storage_id)
            await self._bucket.fetch(original, copy.write, size=photo.size)
            return await self.render(
                copy.file, photo.facts, photo.storage_id, wanted, owner=photo.owner
            )

    async def _complete(self, photo: Photo, claimed_by: str, *, demanded: bool) -> Photo | None:
        """Make the missing renditions; return None if the row has changed and must be reread."""
        wanted = self.missing(photo, demanded=demanded)
        if not wanted:
            return photo
        made = await self.render_stored(photo, wanted)
        if not await self.store_claimed(made, claimed_by):
            return None
        try:
            named = await self._catalog.renditions.add(photo, made.renditions, made.thumbhash)
        except NotFound:
            await self._bucket.delete([each.key for each in made.renditions])
            await self.release(made, claimed_by)
            raise
        if named:
            await self.release(made, claimed_by)
        return named

    async def store_claimed(self, made: RenderedPhoto, claimed_by: str) -> bool:
        """Store renditions under claims; return False, and store none, if others make one of them.

        Release the claims once a row names the objects. If none does, since the photo was turned
        meanwhile, the sweep deletes them.
        """
        claims = self._catalog.rendering_claims
        if await claims.take([each.key for each in made.renditions], claimed_by=claimed_by) is None:
            await asyncio.sleep(_POLL_SECONDS)
            return False
        await self.store(made)
        return True

    async def release(self, made: RenderedPhoto, claimed_by: str) -> None:
        """End the claims of stored renditions."""
        await self._catalog.rendering_claims.release(
            [each.key for each in made.renditions], claimed_by=claimed_by
        )

    async def make_missing(
        self, photo: Photo, file: BinaryIO, claimed_by: str
    ) -> RenderedPhoto | None:
        """Make the missing renditions, and store them under claims, as `store_claimed` does.

        Returns all valid ones, with the new images; None if others make one of them.
        """
        made = await self.render(
            file, photo.facts, photo.storage_id, self.missing(photo), owner=photo.owner
        )
        if not await self.store_claimed(made, claimed_by):
            return None
        outdated = {preset.name for preset in self.missing(photo, demanded=True)}
        valid = [each for each in photo.renditions if each.name not in outdated]
        return replace(made, renditions=(*valid, *made.renditions))

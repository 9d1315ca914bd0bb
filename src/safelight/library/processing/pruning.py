"""Remove renditions that no preset names any more."""

import secrets
from collections.abc import Sequence
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog import Catalog
from safelight.catalog.renditions.claims import claim_removed
from safelight.crash_points import reached
from safelight.errors import NotFound
from safelight.imaging.presets import is_outdated
from safelight.library.processing.renditions import RenditionMaker
from safelight.library.results import PrunedBatch
from safelight.models import Photo
from safelight.storage import Bucket

_BATCH = 500


class Pruning:
    """Removes renditions from rows, and then their objects.

    Claims name the objects until they are deleted, so that the sweep finds them after a crash.
    """

    def __init__(self, catalog: Catalog, bucket: Bucket, renditions: RenditionMaker) -> None:
        self._catalog = catalog
        self._bucket = bucket
        self._renditions = renditions
        self._process = secrets.token_hex(16)

    async def run(self, owner: str, *, after: int, apply: bool) -> PrunedBatch:
        """Prune the owner's next photos, by their ids; count what would go unless `apply`."""
        found = await self._catalog.next_photos(owner, after=after, limit=_BATCH)
        photos = renditions = skipped = 0
        for photo in found:
            outdated = self._outdated(photo)
            if not outdated:
                continue
            if self._renditions.missing(photo):
                skipped += 1
                continue
            photos += 1
            renditions += await self._remove(photo) if apply else len(outdated)
        return PrunedBatch(
            photos=photos,
            renditions=renditions,
            skipped=skipped,
            next=found[-1].id if len(found) == _BATCH else None,
        )

    def _outdated(self, photo: Photo) -> list[str]:
        ladder = self._renditions.ladder
        return [each.name for each in photo.renditions if is_outdated(ladder, photo.facts, each)]

    async def _remove(self, photo: Photo) -> int:
        """Remove a photo's outdated renditions; return their number."""
        try:
            while names := self._outdated(photo):
                removed = [each.key for each in photo.renditions if each.name in names]
                pruned = await self._catalog.renditions.remove(
                    photo, names, hook=partial(self._claim, removed)
                )
                if pruned is None:  # the row has changed
                    photo = await self._catalog.photo(photo.owner, photo.id, in_trash_too=True)
                    continue
                reached("prune: row changed")
                unnamed = _unnamed(removed, pruned)
                await self._bucket.delete(unnamed)
                reached("prune: objects deleted")
                await self._catalog.rendering_claims.release(unnamed, claimed_by=self._process)
                return len(names)
        except NotFound:  # deleted meanwhile
            pass
        return 0

    async def _claim(
        self, removed: Sequence[str], connection: AsyncConnection, photo: Photo
    ) -> None:
        await claim_removed(connection, _unnamed(removed, photo), claimed_by=self._process)


def _unnamed(removed: Sequence[str], photo: Photo) -> list[str]:
    """Return the keys that a photo no longer has. Presets of the same pixels share one."""
    kept = {each.key for each in photo.renditions}
    return list(dict.fromkeys(key for key in removed if key not in kept))

"""Inspect stored originals again, after inspection has learned something."""

import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from safelight import keys
from safelight.catalog import Catalog
from safelight.catalog.rows import turn_to
from safelight.darkroom.pool import Darkroom
from safelight.dates import choose_date
from safelight.errors import Invalid, NotFound
from safelight.library.processing.renditions import RenditionMaker
from safelight.library.spool import Spool
from safelight.models import INSPECTION, DateSource, ImageFacts, Photo
from safelight.storage import Bucket

_log = logging.getLogger(__name__)


class Reinspection:
    """Inspects originals that an earlier version inspected, and renders those again that it must.

    What the owner has changed stays: the texts, and a capture time.
    """

    def __init__(
        self,
        darkroom: Darkroom,
        bucket: Bucket,
        catalog: Catalog,
        spool: Spool,
        renditions: RenditionMaker,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._darkroom = darkroom
        self._bucket = bucket
        self._catalog = catalog
        self._spool = spool
        self._renditions = renditions
        self._clock = clock

    async def run(self, owner: str, id_: int) -> Photo:
        """Inspect a photo's original unless that was done; repeating it does no harm.

        An original that would be refused today keeps its photo as it is, and is logged. Raises
        NotFound, and deletes what it stored, if the photo is deleted meanwhile.
        """
        claimed_by = secrets.token_hex(16)
        async with self._renditions.turn():
            while True:
                photo = await self._catalog.photo(owner, id_, in_trash_too=True)
                if photo.inspection >= INSPECTION:
                    return photo
                if updated := await self._inspect(photo, claimed_by):
                    return updated

    async def _inspect(self, photo: Photo, claimed_by: str) -> Photo | None:
        """Return the photo with its new facts; None if its row has changed meanwhile."""
        rendered = None
        with self._spool.file(photo.owner, hashed=False) as copy:
            original = keys.original(photo.storage_id)
            await self._bucket.fetch(original, copy.write, size=photo.size)
            try:
                found = await self._darkroom.inspect(copy.file, owner=photo.owner)
            except Invalid as error:
                _log.warning("the original of photo %d would be refused: %s", photo.id, error)
                return await self._catalog.edits.store_inspection(photo, photo.facts)
            facts = self._merge(photo, found.facts)
            seen = replace(photo, facts=facts)
            if _pixels(facts) != _pixels(photo.facts) and self._renditions.missing(seen):
                rendered = await self._renditions.make_missing(seen, copy.file, claimed_by)
                if rendered is None:
                    return None
                details = replace(facts.details, colour=rendered.colour)
                facts = replace(facts, details=details)
        try:
            stored = await self._catalog.edits.store_inspection(
                photo,
                facts,
                renditions=rendered.renditions if rendered else None,
                thumbhash=rendered.thumbhash if rendered else None,
            )
        except NotFound:
            if rendered:
                await self._bucket.delete([each.key for each in rendered.renditions])
                await self._renditions.release(rendered, claimed_by)
            raise
        if rendered and stored:
            await self._renditions.release(rendered, claimed_by)
        return stored

    def _merge(self, photo: Photo, found: ImageFacts) -> ImageFacts:
        """Return the new facts, with what the original doesn't contain."""
        old = photo.facts
        details = replace(found.details, colour=old.details.colour)
        facts = turn_to(replace(found, details=details), old.turn)
        facts = choose_date(facts, filename=photo.filename, modified_at=None, now=self._clock())
        if facts.taken_from is None and old.taken_from is DateSource.FILE:
            return replace(
                facts,
                taken_at=old.taken_at,
                taken_offset=old.taken_offset,
                taken_from=old.taken_from,
            )
        return facts


def _pixels(facts: ImageFacts) -> tuple[int, int, int]:
    return facts.width, facts.height, facts.renderer

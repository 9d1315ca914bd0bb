"""Turn photos, and make their first renditions while their owner waits."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog import Catalog
from safelight.catalog.edits.turns import TurnHook
from safelight.crash_points import reached
from safelight.errors import SafelightError
from safelight.imaging.presets import made_at_upload, presets_for_image
from safelight.library.processing.on_demand import OnDemandRenditions
from safelight.models import BulkResult, CaptureDate, Fit, OwnDate, Photo, Preset

_log = logging.getLogger(__name__)

DEADLINE: Final = timedelta(seconds=3)
"""How long a response waits. Jobs make the renditions that are missing then."""
_AT_ONCE: Final = 4


class Turning:
    """Turns photos, and makes what their owner sees first.

    `enqueue` adds the jobs for the other renditions, in the transaction that turns the photos.
    """

    def __init__(
        self,
        catalog: Catalog,
        renditions: OnDemandRenditions,
        ladder: tuple[Preset, ...],
        enqueue: TurnHook,
    ) -> None:
        self._catalog = catalog
        self._renditions = renditions
        self._ladder = ladder
        self._enqueue = enqueue

    async def edit(
        self,
        owner: str,
        id_: int,
        *,
        title: str | None,
        description: str | None,
        date: CaptureDate | OwnDate | None,
        turn: int | None,
    ) -> Photo:
        """Change what isn't None, as `PhotoEdits.edit`."""
        photo = await self._catalog.edits.edit(
            owner,
            id_,
            title=title,
            description=description,
            date=date,
            turn=turn,
            turned=self._enqueue,
        )
        if turn is None or photo.renditions:
            return photo
        reached("turn: row changed")
        (shown,) = await self._make_shown([photo])
        return shown

    async def rotate(self, owner: str, ids: Sequence[int], degrees: int) -> BulkResult:
        """Turn photos clockwise, each from where it is now, in one transaction."""
        turned = list[Photo]()

        async def note(connection: AsyncConnection, photos: Sequence[Photo]) -> None:
            turned[:] = photos
            await self._enqueue(connection, photos)

        result = await self._catalog.turns.rotate(owner, ids, degrees, turned=note)
        reached("turn: row changed")
        await self._make_shown(turned)
        return result

    async def _make_shown(self, photos: Sequence[Photo]) -> list[Photo]:
        """Make a rendition of each photo, until DEADLINE; return the photos.

        It is the largest that an upload makes, or of many photos the smallest. What fails is left
        to the job.
        """
        shown, waiting = list(photos), iter(list(enumerate(photos)))
        loop = asyncio.get_running_loop()
        until = loop.time() + DEADLINE.total_seconds()
        rank = -1 if len(photos) == 1 else 0

        async def work_through() -> None:
            for index, photo in waiting:
                left = until - loop.time()
                if left <= 0:
                    return
                try:
                    shown[index] = await self._renditions.get_or_make(
                        *(photo.owner, photo.id, _name(self._ladder, photo, rank)),
                        wait=timedelta(seconds=left),
                    )
                except SafelightError as error:
                    _log.info("photo %d is rendered later: %s", photo.id, error)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(_AT_ONCE, len(photos))):
                group.create_task(work_through())
        return shown


def _name(ladder: tuple[Preset, ...], photo: Photo, index: int) -> str:
    made = made_at_upload(presets_for_image(ladder, photo.facts))
    return [each for each in made if each.fit == Fit.INSIDE][index].name

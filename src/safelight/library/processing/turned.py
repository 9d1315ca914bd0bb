"""Make the first renditions of photos that were turned, while their owner waits."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from safelight.errors import SafelightError
from safelight.imaging.presets import made_at_upload, presets_for_image
from safelight.library.processing.on_demand import OnDemandRenditions
from safelight.models import Fit, Photo, Preset

_log = logging.getLogger(__name__)

DEADLINE: Final = timedelta(seconds=3)
"""How long a response waits. Jobs make the renditions that are missing then."""
_AT_ONCE: Final = 4


async def make_shown(
    renditions: OnDemandRenditions, ladder: tuple[Preset, ...], photos: Sequence[Photo]
) -> list[Photo]:
    """Make a rendition of each photo, until DEADLINE; return the photos.

    It is the largest that an upload makes, or of many photos the smallest. What fails is left to
    the job.
    """
    shown, waiting = list(photos), iter(list(enumerate(photos)))
    loop = asyncio.get_running_loop()
    until = loop.time() + DEADLINE.total_seconds()

    async def work_through() -> None:
        for index, photo in waiting:
            left = until - loop.time()
            if left <= 0:
                return
            try:
                shown[index] = await renditions.get_or_make(
                    *(photo.owner, photo.id, _name(ladder, photo, -1 if len(photos) == 1 else 0)),
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

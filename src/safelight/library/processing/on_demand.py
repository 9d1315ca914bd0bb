"""Make renditions on demand: each once, however many ask, and from however many processes.

In one process, all who ask share one task. Among processes, a claim in the database decides which
of them makes a rendition (catalog/renditions/claims.py); the others wait for the photo's row.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from cachetools import TTLCache
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import Catalog, RowKeys, remove_renditions
from safelight.catalog.renditions.claims import LEASE, delete_expired_claim
from safelight.crash_points import reached
from safelight.darkroom.admission import AdmissionQueue
from safelight.errors import Busy, CorruptImage, Invalid, NotFound, Unavailable
from safelight.imaging import presets
from safelight.library.processing.renditions import RenderedPhoto, RenditionMaker
from safelight.models import Photo, Preset, When
from safelight.storage import Bucket

_log = logging.getLogger(__name__)

MAX_WAIT: Final = timedelta(seconds=10)
"""How long a caller waits for a rendition. It is made even if no one waits any longer."""
ABANDONED_AFTER: Final = timedelta(minutes=1)
"""When the sweep undoes an expired claim. A process that only hung has renewed it by then."""

_POLLS: Final = (0.05, 0.1, 0.2, 0.3)
_LONGEST_POLL: Final = 0.5
"""Seconds between two looks at whether another process is done."""
_MAX_FAILED: Final = 1_000
_FAILED_SECONDS: Final = 10.0
"""A photo that can't be rendered must not kill a decoder for each client that asks for it."""
_BATCH: Final = 500


class OnDemandRenditions:
    """Makes renditions that are asked for, in a fair queue of limited length."""

    def __init__(
        self,
        renditions: RenditionMaker,
        bucket: Bucket,
        catalog: Catalog,
        *,
        at_once: int,
        max_waiting: int,
    ) -> None:
        self._renditions = renditions
        self._bucket = bucket
        self._catalog = catalog
        self._claims = catalog.rendering_claims
        # In front of the darkroom's own, since originals are fetched before they are queued there.
        self._queue = AdmissionQueue(servers=at_once, max_waiting=max_waiting)
        self._process = secrets.token_hex(16)
        self._making: dict[str, asyncio.Task[Photo]] = {}
        self._reading: dict[tuple[str, int], asyncio.Task[Photo]] = {}
        self._failed: TTLCache[str, Invalid] = TTLCache(_MAX_FAILED, _FAILED_SECONDS)

    async def get_or_make(
        self, owner: str, id_: int, name: str, *, wait: timedelta = MAX_WAIT
    ) -> Photo:
        """Return a photo that has the rendition of this name; make it first if it is missing.

        A photo that is smaller than the preset has another rendition with all of it, which
        `Library.link` finds. Raises NotFound, also for a name that no preset has, CorruptImage if
        it can't be rendered, and Busy if too many are waiting or after `wait`.
        """
        photo = await self._read(owner, id_)
        until = asyncio.get_running_loop().time() + wait.total_seconds()
        while preset := self._preset_to_make(photo, name):
            photo = await self._made(photo, preset, name, until)
        return photo

    async def _made(self, photo: Photo, preset: Preset, name: str, until: float) -> Photo:
        """Return a photo once a rendition is made, by the clock of the event loop.

        One of the same pixels has the same key, so it may be that of another name.
        """
        key = keys.rendition(photo.storage_id, presets.digest(preset))
        if failure := self._failed.get(key):
            raise type(failure)(str(failure))
        if key not in self._making:
            with _explained():
                self._queue.require_room(photo.owner)
            self._start(photo, name, key)
        task = self._making[key]
        left = max(0.0, until - asyncio.get_running_loop().time())
        done, _ = await asyncio.wait({task}, timeout=left)
        if not done:
            raise Busy(
                "This photo is still being rendered. Try again in a few seconds.",
                retry_after=self._queue.estimated_wait(),
            )
        if task.cancelled():
            raise Busy
        return task.result()

    async def _read(self, owner: str, id_: int) -> Photo:
        """Read a photo once for all who ask for it at the same moment. Raises NotFound."""
        task = self._reading.get((owner, id_))
        if task is None:
            task = asyncio.create_task(self._catalog.photo(owner, id_))
            self._reading[owner, id_] = task

            def end(ended: asyncio.Task[Photo]) -> None:
                del self._reading[owner, id_]
                _ = ended.cancelled() or ended.exception()  # they may all have gone

            task.add_done_callback(end)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Cancel what is being made. What was not stored is undone."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2)

    async def undo_abandoned(self) -> None:
        """Delete what processes that died have stored and no row names. Raises Unavailable."""
        while expired := await self._claims.list_expired(age=ABANDONED_AFTER, limit=_BATCH):
            for key in expired:
                storage_id = keys.storage_id_of(key)
                if storage_id is None:
                    continue
                await self._catalog.row_scan.with_locked_row(storage_id, partial(self._undo, key))
            if len(expired) < _BATCH:
                return

    async def _undo(self, key: str, connection: AsyncConnection, row: RowKeys | None) -> None:
        """Delete a claim, and its object unless the locked row names it."""
        if not await delete_expired_claim(connection, key, age=ABANDONED_AFTER):
            return
        if row is None or key not in row.keys:
            await self._bucket.delete([key])
            if row:
                # A process that hung and is about to name the object has to write it again.
                await remove_renditions(connection, row)
        reached("demand: undone")

    def _preset_to_make(self, photo: Photo, name: str) -> Preset | None:
        """Return the preset that a photo lacks; None if there is nothing to make.

        What is made unasked is replaced by a job when its preset has changed. Raises NotFound for
        an unknown name.
        """
        ladder, made = self._renditions.ladder, {each.name for each in photo.renditions}
        preset = presets.choose(ladder, photo.facts, name)
        if preset is None:
            if name in {"original", *made}:  # made by a preset that no longer exists
                return None
            names = ", ".join(["original", *(each.name for each in ladder)])
            raise NotFound(f"There is no rendition of this name. There are: {names}.")
        if preset.when != When.DEMAND and preset.name in made:
            return None
        return preset if presets.missing([preset], photo.renditions) else None

    def _start(self, photo: Photo, name: str, key: str) -> None:
        task = asyncio.create_task(self._make(photo.owner, photo.id, name, key))
        self._making[key] = task

        def end(ended: asyncio.Task[Photo]) -> None:
            del self._making[key]
            error = None if ended.cancelled() else ended.exception()
            if isinstance(error, Invalid):
                self._failed[key] = error

        task.add_done_callback(end)

    async def _make(self, owner: str, id_: int, name: str, key: str) -> Photo:
        """Make a rendition when it is this process' turn, or wait for the process that does."""
        while True:
            with _explained():
                async with self._queue.slot(owner):
                    new = await self._claims.take([key], claimed_by=self._process)
                    if new is not None:
                        async with self._renewed(key):
                            return await self._make_claimed(
                                owner, id_, name, key, is_new=key in new
                            )
            await self._wait_for_other(key)
            photo = await self._catalog.photo(owner, id_)
            is_moved = photo.storage_id != keys.storage_id_of(key)
            if is_moved or self._preset_to_make(photo, name) is None:
                return photo

    async def _wait_for_other(self, key: str) -> None:
        """Wait until the process that makes a rendition is done, or has died."""
        pauses = iter(_POLLS)
        while True:
            await asyncio.sleep(next(pauses, _LONGEST_POLL))
            if not await self._claims.is_taken(key):
                return

    @asynccontextmanager
    async def _renewed(self, key: str) -> AsyncIterator[None]:
        """Renew a claim during the context."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(LEASE.total_seconds() / 3)
                with contextlib.suppress(Unavailable):
                    await self._claims.renew(key, claimed_by=self._process)

        task = asyncio.create_task(renew())
        try:
            yield
        finally:
            task.cancel()

    async def _make_claimed(
        self, owner: str, id_: int, name: str, key: str, *, is_new: bool
    ) -> Photo:
        """Make, store and name a rendition; end the claim unless something unnamed is left.

        Returns the photo without it if it needs another claim: the photo has new keys or other
        pixels, or this process hung.
        """
        is_clean = is_new  # otherwise the object may exist, of a process that died or a turn back
        try:
            rendered: RenderedPhoto | None = None
            while True:
                photo = await self._catalog.photo(owner, id_)
                preset = self._preset_to_make(photo, name)
                if preset is None:  # another process made it before this one had the claim
                    return photo
                if keys.rendition(photo.storage_id, presets.digest(preset)) != key:
                    # It has new keys or other pixels now, whose key needs a claim. What has been
                    # written under this one is left to the sweep.
                    return photo
                if rendered is None:
                    rendered = await self._render(photo, preset)
                reached("demand: rendered")
                # The sweep may have ended the claim, or another process taken it, if this one hung.
                if await self._claims.take([key], claimed_by=self._process) is None:
                    return photo
                is_clean = False
                await self._renditions.store(rendered)
                reached("demand: object written")
                try:
                    named = await self._name(photo, preset, rendered)
                except NotFound:
                    is_clean = True
                    raise
                if named:
                    is_clean = True
                    return named
        finally:
            if is_clean:
                await self._release(key)

    async def _render(self, photo: Photo, preset: Preset) -> RenderedPhoto:
        rendered = await self._renditions.render_stored(photo, [preset])
        if not rendered.renditions:
            raise CorruptImage("This photo can't be rendered in this size.")
        return rendered

    async def _name(self, photo: Photo, preset: Preset, rendered: RenderedPhoto) -> Photo | None:
        """Add a stored rendition to its photo; return None if the row has changed meanwhile.

        Raises NotFound, and deletes the object, if the photo was deleted.
        """
        rows, made = self._catalog.renditions, rendered.renditions
        try:
            if preset.when == When.DEMAND:
                return await rows.add_demanded(photo, made[0])
            return await rows.add(photo, made, photo.thumbhash or rendered.thumbhash)
        except NotFound:
            await self._bucket.delete([each.key for each in made])
            raise

    async def _release(self, key: str) -> None:
        """End a claim, or leave it to expire while the database is down."""
        with contextlib.suppress(Unavailable):
            await self._claims.release([key], claimed_by=self._process)
        reached("demand: claim ended")


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Say what is waiting: the queue's own text is about uploads."""
    try:
        yield
    except Busy as error:
        raise Busy(
            "Too many photos are being rendered. Try again in a few seconds.",
            retry_after=error.retry_after,
        ) from error

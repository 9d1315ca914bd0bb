"""Reconcilers without a grace period never remove objects that rows name, whatever else runs.

Each seed is a schedule: the calls, and how long the reconcilers pause at each of their steps.
"""

import asyncio
import io
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from safelight import keys
from safelight.errors import NotFound
from safelight.imaging.presets import build_presets
from safelight.library import Library, StartedUpload
from safelight.library.sweep import Sweep
from safelight.models import Photo
from safelight.settings import RenditionSettings
from support import pictures
from support.parts import make_renditions
from support.reconcile import (
    APPLY,
    LOOK,
    keys_of,
    list_missing,
    list_objects,
    reconcile,
    reconciler,
    store_orphan,
)

OWNER = "o"
SECONDS = 2.0
REPAIRS = 20
"""A schedule runs for these seconds at least, and until more objects than these were repaired."""
PICTURES = tuple(pictures.jpeg(200 + 8 * n, 100) for n in range(5))
"""Few, so that the same bytes are added many times."""
PRESET_SETS = tuple(
    build_presets(RenditionSettings(widths=widths)) for widths in ((64, 128), (64,), (96,))
)


class _Schedule:
    """The calls that run concurrently with a reconciler, chosen by a seed."""

    def __init__(self, library: Library, seed: int) -> None:
        self.library = library
        self.random = random.Random(seed)
        self.repaired = 0

    async def pause(self, _point: str) -> None:
        await asyncio.sleep(self.random.choice((0, 0, 0.002, 0.01, 0.05)))

    async def add(self) -> None:
        await self.library.add(OWNER, io.BytesIO(self.random.choice(PICTURES)))

    async def add_directly(self) -> None:
        """Reserve a direct upload, store its bytes and complete it."""
        data = self.random.choice(PICTURES)
        started = await self.library.uploads.begin(OWNER, size=len(data), content_type="image/jpeg")
        if isinstance(started, StartedUpload):
            await store_orphan(self.library, keys.incoming(started.upload.upload_id), data)
            await self.library.uploads.complete(OWNER, started.upload.upload_id)

    async def delete(self) -> None:
        if photo := await self._any():
            await self.library.delete(OWNER, photo.id)

    async def render(self) -> None:
        """Make other renditions: the objects of the old ones are orphans until these return."""
        if photo := await self._any():
            presets = self.random.choice(PRESET_SETS)
            renditions = make_renditions(self.library.backends, presets=presets)
            whole = await renditions.render_missing(photo)
            names = {preset.name for preset in presets}
            others = [made.name for made in whole.renditions if made.name not in names]
            await self.library.backends.catalog.renditions.remove(whole, others)

    async def edit(self) -> None:
        if photo := await self._any():
            await self.library.edit(OWNER, photo.id, title=str(self.random.random()))

    async def leave(self) -> None:
        """Store an orphan."""
        await store_orphan(self.library, keys.original(keys.new_storage_id()))

    async def sweep(self) -> None:
        backends = self.library.backends
        await Sweep(backends.catalog, backends.bucket, clock=self.library.now).run()

    async def undo(self) -> None:
        async for _ in reconciler(self.library, pause=self.pause).undo(apply=True):
            pass

    async def reconcile(self) -> None:
        async for event in reconciler(self.library, pause=self.pause).run(APPLY):
            self.repaired += getattr(event, "mended", False) is True

    async def _any(self) -> Photo | None:
        photos = await self.library.backends.catalog.next_photos(OWNER, after=0, limit=100)
        return self.random.choice(photos) if photos else None


async def _repeat(it: _Schedule, *works: Callable[[], Awaitable[None]]) -> None:
    until = asyncio.get_running_loop().time() + SECONDS
    pick = random.Random(len(works))
    while it.repaired <= REPAIRS or asyncio.get_running_loop().time() < until:
        with suppress(NotFound):  # another call deleted it
            await pick.choice(works)()


@pytest.mark.parametrize("seed", range(3))
async def test_objects_that_rows_name_are_never_removed(memory_library: Library, seed: int) -> None:
    it = _Schedule(memory_library, seed)
    async with asyncio.TaskGroup() as group:
        for works in (
            (it.add, it.add_directly),
            (it.add, it.delete, it.edit),
            (it.render, it.render, it.delete),
            (it.render, it.leave, it.sweep, it.undo),
            (it.reconcile,),
            (it.reconcile,),
        ):
            group.create_task(_repeat(it, *works))
        group.create_task(_repeat(it, lambda: _check_objects_exist(memory_library)))
    assert await list_missing(memory_library, OWNER) == set()
    await reconcile(memory_library, APPLY)
    assert await reconcile(memory_library, replace(LOOK, verify=True)) == []
    rows = await memory_library.backends.catalog.row_scan.page(after="", limit=100_000)
    tombstones = {row.storage_id for row in rows if not row.keys}
    objects = {
        key
        for key in await list_objects(memory_library)
        if keys.storage_id_of(key) not in tombstones
    }
    assert objects == {key for row in rows for key in row.keys}


async def _check_objects_exist(library: Library) -> None:
    """Check that no object is missing that its row names before and after looking for it."""
    for key in await list_missing(library, OWNER):
        photos = await library.backends.catalog.next_photos(OWNER, after=0, limit=100)
        assert key not in {named for photo in photos for named in keys_of(photo)}, key
    await asyncio.sleep(0.01)

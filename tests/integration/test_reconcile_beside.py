"""A reconciler with no grace, beside everything that goes on, never takes what a row names.

Each seed is a schedule: who does what, and how long the reconciler halts at each of its steps.
"""

import asyncio
import io
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest

import pictures
from integration.reconciling import (
    APPLY,
    LOOK,
    dangling,
    found,
    keys_of,
    leave,
    reconciler,
    stored,
)
from safelight import keys
from safelight.errors import NotFound
from safelight.library import Library
from safelight.library.prints import Prints
from safelight.library.sweep import Sweep
from safelight.library.uploads import Begun
from safelight.photo import Photo
from safelight.renditions.presets import ladder
from safelight.settings import RenditionSettings

OWNER = "o"
SECONDS = 5.0
PICTURES = tuple(pictures.jpeg(200 + 8 * n, 100) for n in range(5))
"""Few, so that the same bytes come again and again."""
LADDERS = tuple(ladder(RenditionSettings(widths=widths)) for widths in ((64, 128), (64,), (96,)))


class _Schedule:
    """What goes on beside a reconciler, by a seed."""

    def __init__(self, library: Library, seed: int) -> None:
        self.library = library
        self.random = random.Random(seed)
        self.taken = 0

    async def halt(self, _point: str) -> None:
        await asyncio.sleep(self.random.choice((0, 0, 0.002, 0.01, 0.05)))

    async def add(self) -> None:
        await self.library.add(OWNER, io.BytesIO(self.random.choice(PICTURES)))

    async def add_directly(self) -> None:
        """Send it straight to the bucket, as far as the bucket can tell, and complete that."""
        data = self.random.choice(PICTURES)
        begun = await self.library.begin_upload(OWNER, size=len(data), content_type="image/jpeg")
        if isinstance(begun, Begun):
            await leave(self.library, keys.incoming(begun.upload.name), data)
            await self.library.complete_upload(OWNER, begun.upload.name)

    async def delete(self) -> None:
        if photo := await self._any():
            await self.library.delete(OWNER, photo.id)

    async def develop(self) -> None:
        """Have other renditions made: those of before are left over, until they return."""
        if photo := await self._any():
            presets = self.random.choice(LADDERS)
            await Prints(replace(self.library.parts, presets=presets)).complete(photo)

    async def edit(self) -> None:
        if photo := await self._any():
            await self.library.edit(OWNER, photo.id, title=str(self.random.random()))

    async def leave(self) -> None:
        """Leave behind what no row names."""
        await leave(self.library, keys.original(keys.new_name()))

    async def sweep(self) -> None:
        parts = self.library.parts
        await Sweep(parts.catalog, parts.storage, clock=self.library.now).once()

    async def undo(self) -> None:
        async for _ in reconciler(self.library, pause=self.halt).undo(apply=True):
            pass

    async def reconcile(self) -> None:
        async for told in reconciler(self.library, pause=self.halt).run(APPLY):
            self.taken += getattr(told, "mended", False) is True

    async def _any(self) -> Photo | None:
        photos = await self.library.parts.catalog.next(OWNER, after=0, limit=100)
        return self.random.choice(photos) if photos else None


async def _again_and_again(seconds: float, *works: Callable[[], Awaitable[None]]) -> None:
    until = asyncio.get_running_loop().time() + seconds
    pick = random.Random(len(works))
    while asyncio.get_running_loop().time() < until:
        with suppress(NotFound):  # somebody else deleted it
            await pick.choice(works)()


@pytest.mark.parametrize("seed", range(3))
async def test_what_a_row_names_is_never_taken(own_library: Library, seed: int) -> None:
    it = _Schedule(own_library, seed)
    async with asyncio.TaskGroup() as group:
        for works in (
            (it.add, it.add_directly),
            (it.add, it.delete, it.edit),
            (it.develop, it.develop, it.delete),
            (it.develop, it.leave, it.sweep, it.undo),
            (it.reconcile,),
            (it.reconcile,),
        ):
            group.create_task(_again_and_again(SECONDS, *works))
        group.create_task(_again_and_again(SECONDS, lambda: _all_is_there(own_library)))
    assert await dangling(own_library, OWNER) == set()
    assert it.taken > 20
    await found(own_library, APPLY)
    assert await found(own_library, replace(LOOK, verify=True)) == []
    rows = await own_library.parts.catalog.roll.page(after="", limit=100_000)
    tombstones = {row.name for row in rows if not row.keys}
    there = {key for key in await stored(own_library) if keys.photo_in(key) not in tombstones}
    assert there == {key for row in rows for key in row.keys}


async def _all_is_there(library: Library) -> None:
    """Nothing is absent that was named before the look for it and still is after it."""
    for key in await dangling(library, OWNER):
        photos = await library.parts.catalog.next(OWNER, after=0, limit=100)
        assert key not in {named for photo in photos for named in keys_of(photo)}, key
    await asyncio.sleep(0.01)

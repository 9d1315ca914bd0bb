"""A library with a catalog and a bucket of its own, and what is in them."""

import io
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pictures
from safelight import keys
from safelight.library import Library
from safelight.library.findings import Finding, Kind, Plan, Tally
from safelight.library.incoming import Incoming
from safelight.library.quarantine import Step
from safelight.library.reconciler import Reconciler
from safelight.library.sweep import Sweep
from safelight.library.tasks import settled
from safelight.photo import Photo

APPLY = Plan(apply=True, grace=timedelta(0))
LOOK = Plan(grace=timedelta(0))


async def _no_pause(_point: str) -> None:
    pass


def reconciler(
    library: Library, *, later: timedelta = timedelta(0), pause: Step = _no_pause
) -> Reconciler:
    """Make one whose clock is ahead of the library's."""
    parts, now = library.parts, library.now
    sweep = Sweep(parts.catalog, parts.storage, clock=now)
    incoming = Incoming(parts.catalog, parts.storage, parts.multiparts, clock=now)
    settle = partial(settled, sweep, incoming)
    return Reconciler(parts, settle, clock=lambda: now() + later, pause=pause)


async def found(
    library: Library, plan: Plan, *, later: timedelta = timedelta(0)
) -> list[tuple[Kind, str, bool]]:
    """Run it, and give its findings as kind, key and whether they were mended."""
    told = [each async for each in reconciler(library, later=later).run(plan)]
    assert isinstance(told[-1], Tally)
    assert told[-1].done
    return plainly(told)


def plainly(told: Sequence[Finding | Tally]) -> list[tuple[Kind, str, bool]]:
    return [(each.kind, each.key, each.mended) for each in told if isinstance(each, Finding)]


async def added(library: Library, owner: str = "o", *, width: int = 900) -> Photo:
    """Add a photo, with all its renditions."""
    data = pictures.jpeg(width, 20 + uuid4().int % 400, comment=uuid4().bytes)
    photo = (await library.add(owner, io.BytesIO(data))).photo
    return await library.develop(owner, photo.id)


async def stored(library: Library, prefix: str = "photos/") -> set[str]:
    """List the keys of all objects."""
    return {each.key async for batch in library.parts.storage.listed(prefix) for each in batch}


async def leave(library: Library, key: str, data: bytes = b"left behind") -> str:
    """Write an object that nobody names."""
    await library.parts.storage.put(key, data, content_type="image/jpeg")
    return key


async def dangling(library: Library, owner: str = "o") -> set[str]:
    """List the keys that photos name and that are not there."""
    photos = await library.parts.catalog.next(owner, after=0, limit=10_000)
    named = {key for photo in photos for key in keys_of(photo)}
    return {key for key in named if await library.parts.storage.size(key) is None}


def keys_of(photo: Photo) -> set[str]:
    return {keys.original(photo.name), *(made.key for made in photo.renditions)}

"""Run the reconciler, and list rows and objects, in a library that only one test uses."""

import io
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import uuid4

from safelight import keys
from safelight.library import Library
from safelight.library.reconcile.findings import Finding, Kind, Progress, ReconcileOptions
from safelight.library.reconcile.quarantine import Step
from safelight.library.reconcile.reconciler import Reconciler
from safelight.library.sweep import Sweep
from safelight.library.tasks import settle
from safelight.library.uploads.upload_cleanup import UploadCleanup
from safelight.models import Photo
from support import pictures
from support.parts import make_reconciler

APPLY = ReconcileOptions(apply=True, grace=timedelta(0))
LOOK = ReconcileOptions(grace=timedelta(0))


async def _no_pause(_point: str) -> None:
    pass


def reconciler(
    library: Library, *, later: timedelta = timedelta(0), pause: Step = _no_pause
) -> Reconciler:
    """Make a reconciler whose clock is ahead of the library's."""
    backends, now = library.backends, library.now
    sweep = Sweep(backends.catalog, backends.bucket, clock=now)
    cleanup = UploadCleanup(
        backends.catalog.uploads, backends.bucket, backends.multipart, clock=now
    )
    return make_reconciler(
        backends,
        partial(settle, sweep, cleanup, library.renditions),
        clock=lambda: now() + later,
        pause=pause,
    )


async def reconcile(
    library: Library, plan: ReconcileOptions, *, later: timedelta = timedelta(0)
) -> list[tuple[Kind, str, bool]]:
    """Reconcile, and return the findings as kind, key and whether they were repaired."""
    events = [event async for event in reconciler(library, later=later).run(plan)]
    assert isinstance(events[-1], Progress)
    assert events[-1].done
    return summarize(events)


def summarize(events: Sequence[Finding | Progress]) -> list[tuple[Kind, str, bool]]:
    """Return the findings as kind, key and whether they were repaired."""
    return [(event.kind, event.key, event.mended) for event in events if isinstance(event, Finding)]


async def add_photo(library: Library, owner: str = "o", *, width: int = 900) -> Photo:
    """Add a photo, with all its renditions."""
    data = pictures.jpeg(width, 20 + uuid4().int % 400, comment=uuid4().bytes)
    photo = (await library.add(owner, io.BytesIO(data))).photo
    return await library.render(owner, photo.id)


async def list_objects(library: Library, prefix: str = "photos/") -> set[str]:
    """List the keys of all objects."""
    return {
        stored.key
        async for batch in library.backends.bucket.list_objects(prefix)
        for stored in batch
    }


async def store_orphan(library: Library, key: str, data: bytes = b"left behind") -> str:
    """Store an object that no row names."""
    await library.backends.bucket.put(key, data, content_type="image/jpeg")
    return key


async def list_missing(library: Library, owner: str = "o") -> set[str]:
    """List the keys that photos name and that have no object."""
    photos = await library.backends.catalog.next_photos(owner, after=0, limit=10_000)
    named = {key for photo in photos for key in keys_of(photo)}
    return {key for key in named if await library.backends.bucket.size(key) is None}


def keys_of(photo: Photo) -> set[str]:
    return {keys.original(photo.storage_id), *(made.key for made in photo.renditions)}

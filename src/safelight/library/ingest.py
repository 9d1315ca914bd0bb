"""Ingest: make a photo of an upload's bytes, in steps that a crash can interrupt anywhere.

A row is committed before any object is written, so that whatever is left behind can be found and
deleted.
"""

import asyncio
import logging
import mmap
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import PhotoHook, Reservation, Reservations
from safelight.catalog.host.hooks import HookError
from safelight.crash_points import reached
from safelight.darkroom.pool import Darkroom
from safelight.dates import choose_date
from safelight.errors import Busy, ChecksumMismatch, NotFound, SafelightError, UsageError
from safelight.library.captions import validate
from safelight.library.hooks import Hooks
from safelight.library.processing.renditions import RenditionMaker
from safelight.library.results import AddResult
from safelight.library.spool import Spool, SpooledUpload, too_large
from safelight.library.sweep import Sweep
from safelight.library.tasks import enqueue_purge, enqueue_render
from safelight.library.uploads.sources import PhotoSource, open_source
from safelight.metrics import LibraryMetrics
from safelight.models import Caption
from safelight.signing.links import LinkSigner
from safelight.storage import Bucket

OriginalWriter = Callable[[str, mmap.mmap, str], Awaitable[None]]
"""Writes an original: its key, its bytes and their type."""

_log = logging.getLogger(__name__)


class Ingest:
    """Makes photos of spooled files. Every upload takes this way."""

    def __init__(
        self,
        darkroom: Darkroom,
        reservations: Reservations,
        bucket: Bucket,
        *,
        renditions: RenditionMaker,
        sweep: Sweep,
        spool: Spool,
        links: LinkSigner,
        metrics: LibraryMetrics,
        hooks: Hooks,
        max_bytes: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._darkroom = darkroom
        self._reservations = reservations
        self._bucket = bucket
        self._renditions = renditions
        self._sweep = sweep
        self._spool = spool
        self._links = links
        self._metrics = metrics
        self._hooks = hooks
        self._max_bytes = max_bytes
        self._clock = clock
        self._undoing: set[asyncio.Task[None]] = set()

    async def add(
        self,
        owner: str,
        source: PhotoSource,
        caption: Caption,
        *,
        modified_at: datetime | None = None,
        within: AsyncConnection | None = None,
    ) -> AddResult:
        """Make a photo of a file of at most `max_bytes`, which others may be able to change.

        A caption without a file name gets that of the source. Raises what `run` does, TooLarge,
        InvalidRequest for the caption, and UsageError for an invalid owner or source.
        """
        check_owner(owner)
        with self._metrics.count_failures(), open_source(source) as (file, filename):
            caption = validate(replace(caption, filename=caption.filename or filename))
            # Before anything is stored: without links, the response would be a 503.
            self._links.check()
            self._bucket.require_running()
            async with self._spool.private_file(owner, file, limit=self._max_bytes) as private:
                result = await self.run(
                    owner, private, caption, modified_at=modified_at, within=within
                )
        self._metrics.count_added(created=result.created, size=result.photo.size)
        return result

    async def receive(
        self,
        owner: str,
        upload: SpooledUpload,
        caption: Caption,
        *,
        modified_at: datetime | None = None,
    ) -> AddResult:
        """Make a photo of a form's file in the spool; the caller counts failures.

        Raises what `run` does, TooLarge, and InvalidRequest for the caption.
        """
        if upload.size > self._max_bytes:
            raise too_large(upload.size, self._max_bytes)
        caption = validate(caption)
        self._links.check()
        self._bucket.require_running()
        result = await self.run(owner, upload, caption, modified_at=modified_at)
        self._metrics.count_added(created=result.created, size=result.photo.size)
        return result

    async def run(
        self,
        owner: str,
        upload: SpooledUpload,
        caption: Caption,
        *,
        sha256: str | None = None,
        modified_at: datetime | None = None,
        within: AsyncConnection | None = None,
        hooks: Sequence[PhotoHook] = (),
        created_at: datetime | None = None,
        write: OriginalWriter | None = None,
    ) -> AddResult:
        """Check a file that no one else can change, store it, and publish its photo.

        The steps: look for a duplicate, inspect, render, reserve a row, store the objects, publish
        the row. The SHA-256 is the spool's: a decoder has no say in what a photo is the duplicate
        of. Renditions that are made later are made by a job. `hooks` run in the transaction that
        publishes a new photo. `created_at` is when it was added, by default now. `write` writes the
        original in another way than by sending it. Raises ChecksumMismatch if `sha256` is given and
        differs, and what `Darkroom.inspect` raises.
        """
        file, digest = upload.file, await upload.sha256()
        if sha256 not in {None, digest}:
            raise ChecksumMismatch
        duplicate = await self._reservations.find_duplicate(owner, digest, within=within)
        if duplicate:
            return AddResult(photo=duplicate, created=False)
        storage_id = keys.new_storage_id()
        inspected = await self._darkroom.inspect(
            file, owner=owner, presets=self._renditions.choose_at_upload
        )
        if inspected.rendered is None:
            raise TypeError("the darkroom has rendered nothing")
        rendered = self._renditions.with_keys(inspected.rendered, inspected.facts, storage_id)
        reached("add: inspected")
        details = replace(inspected.facts.details, colour=rendered.colour)
        facts = choose_date(
            replace(inspected.facts, details=details),
            filename=caption.filename,
            modified_at=modified_at,
            now=self._clock(),
        )
        reservation = await self._reservations.reserve(
            owner,
            caption,
            storage_id=storage_id,
            renditions=rendered.renditions,
            now=self._clock(),
        )
        reached("add: row reserved")
        try:
            # Mapped rather than read, so that the kernel may drop its pages. It is not closed
            # here, since a write that was abandoned may still use it.
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            original = keys.original(storage_id)
            # At once: a store that syncs each object to disk has one write wait for another.
            writing = (write or self._bucket.put)(original, data, facts.content_type)
            await self._renditions.store(rendered, writing)
            reached("add: object written")
            reached("add: renditions written")
            photo = await self._reservations.publish(
                reservation,
                facts,
                size=len(data),
                sha256=digest,
                now=created_at or self._clock(),
                thumbhash=rendered.thumbhash,
                within=within,
                hooks=[
                    *self._hooks.added,
                    *hooks,
                    *([] if rendered.is_complete else [enqueue_render]),
                ],
            )
        except BaseException as error:
            self._start_undo(reservation)
            if isinstance(error, HookError):
                raise error.error from error.error.__cause__
            if isinstance(error, NotFound):  # the sweep abandoned the row as stale
                raise Busy("The upload took too long. Send it again.") from error
            raise
        reached("add: row ready")
        if photo.id != reservation.id:
            self._start_undo(reservation)
        return AddResult(photo=photo, created=photo.id == reservation.id)

    async def wait_for_undo(self) -> None:
        """Wait up to five seconds for reservations that are being undone."""
        if self._undoing:
            await asyncio.wait(self._undoing, timeout=5)

    def _start_undo(self, reservation: Reservation) -> None:
        """Undo a reservation in a task, since the request may be cancelled or late."""
        task = asyncio.create_task(self._undo(reservation))
        self._undoing.add(task)
        task.add_done_callback(self._undoing.discard)

    async def _undo(self, reservation: Reservation) -> None:
        try:
            tombstone = await self._reservations.abandon(
                reservation, now=self._clock(), in_transaction=enqueue_purge
            )
            if tombstone:
                reached("undo: row abandoned")
                await self._sweep.purge_now(tombstone, passing="undo")
        except SafelightError as error:
            _log.warning("reservation %s is left to the sweep: %s", reservation.id, error)


def check_owner(owner: str) -> None:
    """Raise UsageError if this can't be an owner."""
    if not isinstance(owner, str) or not owner or "\0" in owner:
        raise UsageError("An owner must be a string, not empty and without NUL.")

"""Delete what clients sent to ``incoming/``, once its upload has ended.

It is deleted when an upload is completed, refused or aborted, or expires. The client can send again
until its last signature expires, which `RewriteCleanup` deletes every minute. FORGET_AFTER that,
when no transfer that it permitted can still be in progress, the data is deleted once more, and then
the row.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter

from safelight import keys
from safelight.catalog import Uploads
from safelight.crash_points import reached
from safelight.errors import Unavailable
from safelight.library.sweep import PURGE_DEADLINE
from safelight.models import Upload
from safelight.storage import Bucket, MultipartUploads, UnfinishedUpload

_log = logging.getLogger(__name__)

FORGET_AFTER = timedelta(hours=1)
ANSWERED_FOR = timedelta(days=1)
"""How long completing a completed upload again returns its photo."""

_BATCH = 200
_AT_ONCE = 8
_MAX_ERRORS = 3

_KEPT = 2
"""Multipart uploads to one key: a client whose request was answered too late starts another."""


class UploadCleanup:
    """Deletes the data of ended uploads, and then their rows."""

    def __init__(
        self,
        uploads: Uploads,
        bucket: Bucket,
        multipart: MultipartUploads,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._uploads = uploads
        self._bucket = bucket
        self._multipart = multipart
        self._clock = clock
        self._rewrites = RewriteCleanup(uploads, bucket, multipart)

    async def clear_now(self, upload: Upload, *, passing: str) -> None:
        """Delete an ended upload's data now, or leave it to the job.

        Returns within PURGE_DEADLINE, plus the time of one statement. `passing` names the crash
        points.
        """
        key = keys.incoming(upload.upload_id)
        try:
            async with asyncio.timeout(PURGE_DEADLINE.total_seconds()):
                if upload.part_size:  # first, since parts can become an object
                    await self._multipart.abort(key)
                await self._bucket.delete([key])
            reached(f"{passing}: incoming gone")
            await self._uploads.mark_swept([upload.upload_id], now=self._clock())
        except (Unavailable, TimeoutError) as error:
            _log.warning(
                "upload %s will be cleared later: %s",
                upload.upload_id,
                str(error) or "the store is slow",
            )

    async def run(self) -> None:
        """Abort expired uploads, and clear ended ones, again if need be. Raises as `clear` does."""
        await self._uploads.abort_expired(now=self._clock())
        reached("incoming: stale ended")
        try:
            await self.clear()
        finally:
            await self._forget()
        await self._rewrites.run()

    async def clear(self) -> None:
        """Delete the data of all ended uploads. Raises Unavailable if some could not be deleted."""
        await _process_batches(self._uploads.list_unswept, self._clear)

    async def _forget(self) -> None:
        """Delete the data of old uploads a second time, and their rows."""
        now = self._clock()

        async def list_due(*, after: str, limit: int) -> list[Upload]:
            return await self._uploads.list_due(
                expired_before=now - FORGET_AFTER,
                completed_before=now - ANSWERED_FOR,
                after=after,
                limit=limit,
            )

        await _process_batches(list_due, self._delete_rows)

    async def _clear(self, batch: Sequence[Upload]) -> list[Unavailable]:
        cleared, errors = await self._delete_data(batch)
        reached("incoming: objects gone")
        if cleared:
            ids = [upload.upload_id for upload in cleared]
            await self._uploads.mark_swept(ids, now=self._clock())
        reached("incoming: noted")
        return errors

    async def _delete_rows(self, batch: Sequence[Upload]) -> list[Unavailable]:
        cleared, errors = await self._delete_data(batch)
        if cleared:
            await self._uploads.delete([upload.upload_id for upload in cleared])
        reached("incoming: rows forgotten")
        return errors

    async def _delete_data(self, batch: Sequence[Upload]) -> tuple[list[Upload], list[Unavailable]]:
        """Delete unfinished parts, and then objects, since parts can become an object.

        Returns the uploads of which nothing is left, and the errors of the others.
        """
        errors: list[Unavailable] = []
        failed: set[str] = set()
        slots = asyncio.Semaphore(_AT_ONCE)

        async def abort_parts(upload: Upload) -> None:
            try:
                async with slots:
                    await self._multipart.abort(keys.incoming(upload.upload_id))
            except Unavailable as error:
                errors.append(error)
                failed.add(upload.upload_id)

        async with asyncio.TaskGroup() as group:
            for upload in batch:
                if upload.part_size:
                    group.create_task(abort_parts(upload))
        cleared, objects = [], []
        for upload in batch:
            if upload.upload_id not in failed:
                cleared.append(upload)
                objects.append(keys.incoming(upload.upload_id))
        await self._bucket.delete(objects)
        return cleared, errors


class RewriteCleanup:
    """Deletes what ended uploads wrote again, and surplus multipart uploads of open ones.

    A signature can't be called back, and that of a multipart upload's start starts any number of
    them. Stores have no limit for either.
    """

    def __init__(self, uploads: Uploads, bucket: Bucket, multipart: MultipartUploads) -> None:
        self._uploads = uploads
        self._bucket = bucket
        self._multipart = multipart

    async def run(self) -> None:
        """Delete them now. Raises Unavailable; then some of them may be deleted."""
        async for key, s3_upload_id in self._surplus():
            await self._multipart.abort_one(key, s3_upload_id)
            _log.warning("a surplus multipart upload to %s was aborted", key)
        async for page in self._bucket.list_objects(keys.INCOMING):
            ended = await self._find_swept([each.key for each in page])
            if ended:
                await self._bucket.delete(sorted(ended))
                _log.warning("%d objects of ended uploads were deleted", len(ended))

    async def _surplus(self) -> AsyncIterator[tuple[str, str]]:
        """Yield the key and id of each multipart upload to abort."""
        newest: defaultdict[str, list[UnfinishedUpload]] = defaultdict(list)
        async for page in self._multipart.list_unfinished(keys.INCOMING):
            ended = await self._find_swept([each.key for each in page])
            for upload in page:
                kept = newest[upload.key]
                kept.append(upload)
                kept.sort(key=attrgetter("started_at"))
                if upload.key in ended or len(kept) > _KEPT:
                    oldest = kept.pop(0)
                    yield oldest.key, oldest.s3_upload_id

    async def _find_swept(self, objects: list[str]) -> set[str]:
        """Return the keys of uploads whose data was cleared; reconcile sees to unknown keys."""
        by_id = {id_: key for key in objects if (id_ := keys.upload_id_of(key))}
        ended = await self._uploads.find_swept(list(by_id)) if by_id else set[str]()
        return {by_id[id_] for id_ in ended}


async def _process_batches(
    list_batch: Callable[..., Awaitable[list[Upload]]],
    process: Callable[[Sequence[Upload]], Awaitable[list[Unavailable]]],
) -> None:
    """Process everything listed, batch by batch; a failed batch doesn't stop the next."""
    after, errors = "", list[Unavailable]()
    while len(errors) < _MAX_ERRORS and (batch := await list_batch(after=after, limit=_BATCH)):
        try:
            errors += await process(batch)
        except Unavailable as error:
            errors.append(error)
        after = batch[-1].upload_id
    if errors:
        raise errors[0]

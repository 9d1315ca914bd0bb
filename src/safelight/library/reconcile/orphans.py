"""Orphans in ``incoming/``: objects and multipart uploads without a row.

Uploads that have a row are cleaned up by `library/uploads/upload_cleanup.py`. So orphans only exist
after a row was lost, as when a catalog is restored from a backup.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from safelight import keys
from safelight.catalog import Uploads
from safelight.library.reconcile.findings import Finding, Kind, ProgressCounter, ReconcileOptions
from safelight.library.reconcile.quarantine import Quarantine
from safelight.storage import Bucket, MultipartUploads

_PAGE_SIZE = 1000


class OrphanFinder:
    """Compares the rows of direct uploads with what clients sent."""

    def __init__(
        self,
        uploads: Uploads,
        bucket: Bucket,
        multipart: MultipartUploads,
        quarantine: Quarantine,
    ) -> None:
        self._uploads = uploads
        self._bucket = bucket
        self._multipart = multipart
        self._quarantine = quarantine

    async def find(
        self, options: ReconcileOptions, count: ProgressCounter, *, before: datetime
    ) -> AsyncIterator[Finding]:
        """Yield orphans from before a time, and uploads that should have ended by then."""
        async for finding in self._find_overdue(before):
            yield finding
        async for finding in self._find_unfinished(options, before):
            yield finding
        async for finding in self._find_orphans(options, count, before):
            yield finding

    async def _find_overdue(self, before: datetime) -> AsyncIterator[Finding]:
        """Yield uploads that the sweep should have ended: no worker runs, or it fails."""
        after = ""
        while upload_ids := await self._uploads.list_overdue(
            expired_before=before, after=after, limit=_PAGE_SIZE
        ):
            for upload_id in upload_ids:
                yield Finding(kind=Kind.STALE, key=keys.incoming(upload_id))
            after = upload_ids[-1]

    async def _find_unfinished(
        self, options: ReconcileOptions, before: datetime
    ) -> AsyncIterator[Finding]:
        async for batch in self._multipart.list_unfinished(keys.INCOMING):
            old = dict.fromkeys(upload.key for upload in batch if upload.started_at < before)
            known = await self._find_known(list(old))
            for key in old:
                if key not in known:
                    if options.apply:
                        await self._multipart.abort(key)
                    yield Finding(kind=Kind.UNFINISHED, key=key, mended=options.apply)

    async def _find_orphans(
        self, options: ReconcileOptions, count: ProgressCounter, before: datetime
    ) -> AsyncIterator[Finding]:
        async for batch in self._bucket.list_objects(keys.INCOMING):
            count.objects += len(batch)
            old = [stored for stored in batch if stored.modified_at < before]
            known = await self._find_known([stored.key for stored in old])
            for stored in old:
                if stored.key in known:
                    continue
                finding = Finding(kind=Kind.ORPHAN, key=stored.key, size=stored.size)
                if options.moves_orphans:
                    moved = await self._quarantine.move_in(stored.key)
                    finding = replace(finding, mended=moved)
                yield finding

    async def _find_known(self, listed: list[str]) -> set[str]:
        """Return which keys belong to uploads that have a row. Call it after listing the keys."""
        by_id = {id_: key for key in listed if (id_ := keys.upload_id_of(key))}
        return {by_id[id_] for id_ in await self._uploads.find_known(list(by_id))}

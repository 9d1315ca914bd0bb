"""Direct uploads: the client sends the bytes to the bucket, and they are read once, at the end.

Nothing that a client wrote is ever served. Completion copies the bytes from ``incoming/`` to the
spool; that copy is checked, decoded and stored under ``photos/``.
"""

import re
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from safelight import keys
from safelight.catalog import Catalog, UploadEnded
from safelight.crash_points import reached
from safelight.darkroom.admission import AdmissionQueue
from safelight.errors import (
    Invalid,
    InvalidRequest,
    NotFound,
    TooLarge,
    UploadIncomplete,
    format_size,
)
from safelight.library.captions import validate
from safelight.library.ingest import Ingest, check_owner
from safelight.library.results import MAX_ASKED, AddResult, Operation, StartedUpload
from safelight.library.spool import Spool
from safelight.library.tasks import enqueue_clear
from safelight.library.uploads.declarations import check_declared
from safelight.library.uploads.upload_cleanup import UploadCleanup
from safelight.metrics import LibraryMetrics
from safelight.models import Caption, Photo, Upload, UploadStatus
from safelight.settings import LimitSettings, UploadSettings
from safelight.signing.links import LinkSigner
from safelight.signing.uploads import PresignedRequest, UploadSigner, is_s3_upload_id
from safelight.storage import Bucket

COMPLETION_GRACE: Final = timedelta(hours=1)
"""How long after its signature expires an upload in one request can still be completed: the PUT may
have started just before."""

_AT_ONCE: Final = 4
"""Completions at once. More would only wait for the darkroom, with their bytes in the spool."""

_NOT_FOUND: Final = "There is no such upload."
_ID = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class DirectUploads:
    """Begins, signs, completes and aborts direct uploads."""

    def __init__(
        self,
        catalog: Catalog,
        bucket: Bucket,
        *,
        spool: Spool,
        ingest: Ingest,
        cleanup: UploadCleanup,
        metrics: LibraryMetrics,
        links: LinkSigner,
        signer: UploadSigner,
        settings: UploadSettings,
        limits: LimitSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._catalog = catalog
        self._rows = catalog.uploads
        self._bucket = bucket
        self._spool = spool
        self._ingest = ingest
        self._cleanup = cleanup
        self._metrics = metrics
        self._links = links
        self._signer = signer
        self._settings = settings
        self._limits = limits
        self._clock = clock
        self._queue = AdmissionQueue(servers=_AT_ONCE, max_waiting=limits.max_waiting)

    async def begin(
        self,
        owner: str,
        *,
        size: int,
        content_type: str,
        caption: Caption | None = None,
        sha256: str | None = None,
        modified_at: datetime | None = None,
        in_parts: bool = False,
        endpoint: str | None = None,
    ) -> StartedUpload | AddResult:
        """Reserve an upload of `size` bytes and a declared type.

        With `sha256` (lower-case hex), a photo that the owner already has is returned instead, and
        other bytes are refused at the end. `modified_at` is as for `Library.add`. Large files, and
        all with `in_parts`, are uploaded in parts; `sign` signs each step. `endpoint` is where
        the client reaches the store, if not at the configured endpoint. Raises the errors under
        `Invalid`, TooManyUploads.
        """
        check_owner(owner)
        if sha256 is not None and not _SHA256.fullmatch(sha256):
            raise InvalidRequest("The sha256 must be 64 lower-case hex digits.")
        now = self._clock()
        in_parts = in_parts or size > self._settings.parts_above
        lifetime = (
            self._settings.reservation_lifetime
            if in_parts
            else self._settings.signature_lifetime + COMPLETION_GRACE
        )
        upload = Upload(
            upload_id=keys.new_storage_id(),
            owner=owner,
            status=UploadStatus.OPEN,
            caption=validate(caption or Caption()),
            content_type=check_declared(size, content_type, limit=self._limits.max_direct_bytes),
            size=size,
            sha256=sha256,
            part_size=self._settings.part_size if in_parts else None,
            created_at=now,
            expires_at=now + lifetime,
            modified_at=modified_at,
        )
        if sha256:
            duplicate = await self._catalog.reservations.find_duplicate(owner, sha256)
            if duplicate:
                return AddResult(photo=duplicate, created=False)
        request = None if in_parts else self._signer.put(upload, endpoint=endpoint)
        await self._rows.reserve(
            upload,
            at_most=self._limits.max_open_uploads,
            max_bytes=self._limits.max_open_bytes,
            signature_lifetime=self._settings.signature_lifetime,
        )
        return StartedUpload(upload=upload, request=request)

    async def existing(self, owner: str, sha256: Collection[str]) -> list[Photo]:
        """Return the photos that the owner has of these bytes: they need not be sent.

        `sha256` has at most MAX_ASKED digests, in lower-case hex. Raises InvalidRequest.
        """
        check_owner(owner)
        if len(sha256) > MAX_ASKED or not all(map(_SHA256.fullmatch, sha256)):
            raise InvalidRequest(
                f"Send at most {MAX_ASKED} SHA-256 digests, each of 64 lower-case hex digits."
            )
        return await self._catalog.reservations.find_duplicates(owner, sha256)

    async def sign(
        self,
        owner: str,
        upload_id: str,
        operation: Operation,
        *,
        part_number: int | None = None,
        s3_upload_id: str | None = None,
        endpoint: str | None = None,
    ) -> PresignedRequest:
        """Sign one step of a multipart upload. Raises NotFound, InvalidRequest."""
        upload = await self._find_open(owner, upload_id)
        if upload.part_size is None:
            raise InvalidRequest("This upload takes one request; there is nothing more to sign.")
        if part_number is not None and operation != "part":
            raise InvalidRequest(f"The operation '{operation}' takes no part_number.")
        signer = self._signer
        if operation == "create":
            if s3_upload_id is not None:
                raise InvalidRequest("The operation 'create' takes no upload_id.")
            return signer.create(upload, endpoint=endpoint)
        if s3_upload_id is None or not is_s3_upload_id(s3_upload_id):
            raise InvalidRequest(
                "The upload_id must be the one that the store returned to 'create'."
            )
        if operation == "part":
            if part_number is None or not 1 <= part_number <= upload.parts:
                raise InvalidRequest(f"The part_number must be between 1 and {upload.parts}.")
            return signer.part(upload, s3_upload_id, part_number, endpoint=endpoint)
        sign = {"list": signer.list, "complete": signer.complete, "abort": signer.abort}
        return sign[operation](upload, s3_upload_id, endpoint=endpoint)

    async def complete(self, owner: str, upload_id: str) -> AddResult:
        """Make a photo of the sent bytes; repeated or concurrent calls return the same photo.

        Raises NotFound, UploadIncomplete while bytes are missing, and the errors under `Invalid`
        for bytes that are refused; these are deleted, and the upload is aborted.
        """
        with self._metrics.count_failures():
            # Before anything is stored: without links, the response would be a 503.
            self._links.check()
            upload = await self._find(owner, upload_id)
            result = None
            if upload.photo_id is None:
                async with self._queue.slot(owner):
                    result = await self._complete(upload)
                if result is None:  # another request has ended it
                    upload = await self._find(owner, upload_id)
            if result is None:
                if upload.photo_id is None:
                    raise NotFound(_NOT_FOUND)
                result = AddResult(
                    photo=await self._restored(owner, upload.photo_id), created=False
                )
        self._metrics.count_added(created=result.created, size=result.photo.size)
        return result

    async def _restored(self, owner: str, id_: int) -> Photo:
        """Return a photo, from the trash if it is there. Raises NotFound."""
        restored = await self._catalog.trash.restore(owner, [id_])
        return restored[0] if restored else await self._catalog.photo(owner, id_)

    async def abort(self, owner: str, upload_id: str) -> None:
        """Abort an upload and delete its data. Raises NotFound, also the second time.

        While the store is down, a job deletes the data later.
        """
        if not await self._end(await self._find_open(owner, upload_id), passing="abort"):
            raise NotFound(_NOT_FOUND)

    async def _complete(self, upload: Upload) -> AddResult | None:
        """Complete an open upload; return None if another request has ended it meanwhile."""
        mark_completed = partial(
            self._rows.complete,
            upload_id=upload.upload_id,
            clock=self._clock,
            in_transaction=enqueue_clear,
        )
        try:
            with self._spool.file(upload.owner) as copy:
                key = keys.incoming(upload.upload_id)
                size = await self._bucket.fetch(key, copy.write, size=upload.size)
                if size < upload.size:
                    raise UploadIncomplete
                if size > upload.size:
                    raise TooLarge(
                        f"This upload has {format_size(size)}, which is more than the declared"
                        f" {format_size(upload.size)}."
                    )
                reached("complete: fetched")
                result = await self._ingest.run(
                    upload.owner,
                    copy,
                    upload.caption,
                    sha256=upload.sha256,
                    modified_at=upload.modified_at,
                    hooks=[mark_completed],
                )
            if not result.created:
                await self._catalog.transaction(partial(mark_completed, photo=result.photo))
        except UploadEnded:
            return None
        except NotFound as error:
            # Either nothing was sent, or the request that ended it has deleted its data.
            ended = await self._rows.find(upload.owner, upload.upload_id)
            if ended.status is not UploadStatus.OPEN:
                return None
            raise UploadIncomplete from error
        except Invalid:
            if await self._end(upload, passing="refuse"):
                raise
            return None
        reached("complete: noted")
        await self._cleanup.clear_now(upload, passing="complete")
        return result

    async def _end(self, upload: Upload, *, passing: str) -> bool:
        """Abort an upload, clear its data, and return whether it was open."""
        was_open = await self._rows.abort(
            upload.upload_id, now=self._clock(), in_transaction=enqueue_clear
        )
        reached(f"{passing}: upload ended")
        if was_open:
            await self._cleanup.clear_now(upload, passing=passing)
        return was_open

    async def _find_open(self, owner: str, upload_id: str) -> Upload:
        """Return an upload that its client may still send. Raises NotFound."""
        upload = await self._find(owner, upload_id)
        if upload.status is not UploadStatus.OPEN:
            raise NotFound(_NOT_FOUND)
        return upload

    async def _find(self, owner: str, upload_id: str) -> Upload:
        """Return an upload that is completed, or open and not expired. Raises NotFound."""
        if not _ID.fullmatch(upload_id):
            raise NotFound(_NOT_FOUND)
        upload = await self._rows.find(owner, upload_id)
        if upload.status is UploadStatus.ABORTED or (
            upload.status is UploadStatus.OPEN and self._clock() >= upload.expires_at
        ):
            raise NotFound(_NOT_FOUND)
        return upload

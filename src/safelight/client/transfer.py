"""Transfer one file: straight to the bucket, or through the server where that isn't possible."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from safelight.client.api import Client, Photo
from safelight.client.files import FileDigest, FileReader, LocalFile
from safelight.client.http import DirectUploadsUnsupported
from safelight.client.progress import FileProgress
from safelight.client.reservation import ReservedUpload
from safelight.client.store import CHANGED, DirectAccessUnavailable, SignatureRejected, StoreClient
from safelight.errors import (
    ChecksumMismatch,
    Invalid,
    NotFound,
    SafelightError,
    TooLarge,
    Unavailable,
    UploadIncomplete,
)
from safelight.models import Caption

_MAX_REJECTIONS: Final = 2
"""Rejected signatures, without any accepted one, after which direct access is given up."""


class DirectAccess:
    """Whether files can go straight to the bucket. Once disabled, it stays so for the run."""

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._lock = threading.Lock()
        self._is_enabled = True
        self._has_succeeded = False
        self._rejections = 0

    @property
    def is_enabled(self) -> bool:
        """Whether to upload directly."""
        return self._is_enabled

    def record_success(self) -> None:
        """Record a successful direct upload; rejections no longer disable direct access."""
        self._has_succeeded = True

    def record_rejection(self, error: SafelightError) -> None:
        """Count a rejected signature. Raises DirectAccessUnavailable after the last allowed one."""
        with self._lock:
            self._rejections += 1
        if not self._has_succeeded and self._rejections >= _MAX_REJECTIONS:
            raise DirectAccessUnavailable(str(error).rstrip(".")) from error

    def disable(self, reason: str) -> None:
        """Disable direct access, and notify the user the first time."""
        with self._lock:
            was_enabled, self._is_enabled = self._is_enabled, False
        if was_enabled:
            self._notify(f"Uploading through the server, not straight to its bucket: {reason}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferContext:
    """What the transfers of a run share.

    `stop` ends all transfers. `answered` is set once the server has answered a request.
    """

    client: Client
    store: StoreClient
    direct: DirectAccess
    stop: threading.Event
    answered: threading.Event
    caption: Caption


class Transfer:
    """One file's transfer. It keeps its state between attempts, so a retry resumes.

    `by_form` sends the file through the server even if it could go straight to the bucket.
    """

    def __init__(
        self,
        context: TransferContext,
        file: LocalFile,
        digest: FileDigest,
        progress: FileProgress,
        *,
        by_form: bool = False,
    ) -> None:
        self._context = context
        self._by_form = by_form
        self._file = file
        self._digest = digest
        self._progress = progress
        self._upload: ReservedUpload | None = None
        self._is_sent = False
        self._s3_upload_id = ""
        self._etags: dict[int, str] = {}
        self._was_rejected = False

    def run(self) -> tuple[Photo, bool]:
        """Start or resume the transfer; return the photo, and whether it is new.

        Raises Invalid, OSError, TransferStopped, or an error that a retry may resolve.
        """
        direct = self._context.direct
        try:
            if self._by_form:
                try:
                    return self._send_form()
                except TooLarge:  # the limit of the server or of its proxy is lower for forms
                    self._by_form = False
            if direct.is_enabled:
                try:
                    return self._send_directly()
                except DirectUploadsUnsupported:
                    direct.disable("the server is too old for that")
                except DirectAccessUnavailable as error:
                    direct.disable(str(error))
                    self.abort()
            return self._send_form()
        except Invalid:
            self._context.answered.set()
            raise

    def abort(self) -> None:
        """Abort the upload on the server, if one is reserved."""
        upload = self._upload
        self._reset()
        if upload is not None:
            with contextlib.suppress(SafelightError):
                self._context.client.abort(upload)

    def _send_form(self) -> tuple[Photo, bool]:
        self._progress.rewind()
        with self._open_file() as file:
            try:
                added = self._context.client.add(
                    file,
                    self._file.filename,
                    title=self._context.caption.title,
                    description=self._context.caption.description,
                    modified_at=self._digest.stamp.modified_at,
                    sha256=self._digest.sha256,
                )
            except ChecksumMismatch as error:
                raise ChecksumMismatch(CHANGED) from error
        self._context.answered.set()
        return added

    def _send_directly(self) -> tuple[Photo, bool]:
        if self._upload is None:
            reserved = self._reserve()
            self._context.answered.set()
            if isinstance(reserved, dict):
                return reserved, False
            self._upload = reserved
        try:
            if not self._is_sent:
                self._send(self._upload)
            added = self._context.client.complete(self._upload)
        except Invalid:
            if self._is_sent:
                self._reset()  # the server has already ended the upload
            raise
        except (SignatureRejected, NotFound, UploadIncomplete) as error:
            self._prepare_retry(error)
            raise Unavailable(str(error), retry_after=timedelta(seconds=1)) from error
        self._context.direct.record_success()
        self._upload = None
        return added

    def _prepare_retry(self, error: SafelightError) -> None:
        """Keep the stored parts the first time; after that, start over.

        Raises DirectAccessUnavailable.
        """
        if isinstance(error, SignatureRejected) and self._etags and not self._was_rejected:
            self._was_rejected = True
            return
        self.abort()
        self._context.direct.record_rejection(error)

    def _reserve(self) -> ReservedUpload | Photo:
        return self._context.client.reserve(
            filename=self._file.filename,
            content_type=self._file.content_type,
            size=self._digest.size,
            sha256=self._digest.sha256,
            title=self._context.caption.title,
            description=self._context.caption.description,
            modified_at=self._digest.stamp.modified_at,
        )

    def _send(self, upload: ReservedUpload) -> None:
        """Send the whole file, or the parts that aren't stored yet."""
        self._progress.rewind()
        with self._open_file() as file:
            if upload.request:
                chunks = file.chunks(0, self._digest.size)
                self._context.store.put(upload.request, chunks, self._digest.size)
            else:
                self._send_parts(upload, file)
            file.check_unchanged()
        self._is_sent = True

    def _send_parts(self, upload: ReservedUpload, file: FileReader) -> None:
        client, store = self._context.client, self._context.store
        if not self._s3_upload_id:
            self._s3_upload_id = store.create(client.sign(upload, "create"))
        else:
            self._find_stored_parts(upload)
        for number in range(1, upload.parts + 1):
            start, length = self._part_range(upload, number)
            if number in self._etags:
                self._progress.advance(length)
                continue
            request = client.sign(upload, "part", part_number=number, upload_id=self._s3_upload_id)
            self._etags[number] = store.put(request, file.chunks(start, length), length)
        request = client.sign(upload, "complete", upload_id=self._s3_upload_id)
        with contextlib.suppress(SignatureRejected):  # an attempt whose response was lost did it
            store.complete(request, self._etags)

    def _find_stored_parts(self, upload: ReservedUpload) -> None:
        """Ask the store which parts it has: the last response may have been lost."""
        request = self._context.client.sign(upload, "list", upload_id=self._s3_upload_id)
        try:
            stored = self._context.store.list_parts(request)
        except SignatureRejected:  # a completed upload no longer exists
            return
        self._etags = {
            number: etag
            for number, (etag, size) in stored.items()
            if 1 <= number <= upload.parts and size == self._part_range(upload, number)[1]
        }

    def _part_range(self, upload: ReservedUpload, number: int) -> tuple[int, int]:
        """Return a part's offset and length."""
        start = (number - 1) * upload.part_size
        return start, min(upload.part_size, self._digest.size - start)

    def _open_file(self) -> FileReader:
        return FileReader(self._file.path, self._digest, self._progress, self._context.stop)

    def _reset(self) -> None:
        self._upload = None
        self._is_sent = False
        self._s3_upload_id = ""
        self._etags = {}
        self._was_rejected = False

"""Upload many files in parallel, with retries."""

import collections
import queue
import threading
import time
from collections.abc import Generator, Sequence
from datetime import timedelta
from typing import Final

import httpx

from safelight.client.api import Photo
from safelight.client.files import FileDigest, LocalFile, TransferStopped
from safelight.client.progress import FileProgress, UploadProgress
from safelight.client.results import UploadResult, failed_result, unsent_result
from safelight.client.transfer import Transfer, TransferContext
from safelight.errors import (
    Invalid,
    OperatorError,
    RequestTimeout,
    SafelightError,
    TooManyUploads,
    Unavailable,
)
from safelight.terminal import sanitize

_BUSY_ATTEMPTS: Final = 5
_DEFAULT_PAUSE: Final = timedelta(seconds=5)
_MAX_PAUSE: Final = timedelta(seconds=60)
"""The longest pause between attempts, whatever Retry-After asks for."""

_RESTART_ATTEMPTS: Final = 8
_MAX_RESTART_PAUSE: Final = 15.0
"""Seconds between attempts to reach a server that has answered before."""

_STOP_SECONDS: Final = 1.5
"""Time for stopped threads to abort what they have reserved."""

IndexedResult = tuple[int, UploadResult]
"""A result, with the index of its file."""


class Uploader:
    """Uploads files in `jobs` threads, until an error concerns all of them.

    The first file goes alone until the server has answered, so an unreachable server gets one
    request. Of several files with the same bytes, one is uploaded and the others wait for it.
    """

    def __init__(self, context: TransferContext, progress: UploadProgress, *, jobs: int) -> None:
        self._context = context
        self._progress = progress
        self._jobs = jobs
        self._lock = threading.Lock()
        self._pending: collections.deque[LocalFile] = collections.deque()
        self._duplicates: dict[str, list[LocalFile]] = {}
        """By the SHA-256 of a file in transfer: other files with the same bytes."""
        self._results: queue.SimpleQueue[IndexedResult | BaseException] = queue.SimpleQueue()
        self._fatal_error: SafelightError | None = None

    def upload(self, files: Sequence[LocalFile]) -> Generator[IndexedResult]:
        """Upload the files, and yield each result as soon as it is known.

        Close the generator to abort what is in transfer, within two seconds.
        """
        self._pending.extend(files)
        threads = [
            # Daemons, since a thread that waits for a response can't be interrupted.
            threading.Thread(target=self._run, kwargs={"is_first": number == 0}, daemon=True)
            for number in range(min(self._jobs, len(files)))
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in files:
                result = self._results.get()
                if isinstance(result, BaseException):
                    raise result
                yield result
        finally:
            self._context.stop.set()
            self._context.answered.set()
            deadline = time.monotonic() + _STOP_SECONDS
            for thread in threads:
                thread.join(max(0, deadline - time.monotonic()))

    def _run(self, *, is_first: bool) -> None:
        try:
            if not is_first:
                self._context.answered.wait()
            while (file := self._next()) is not None:
                self._process(file)
        except TransferStopped:
            pass
        except BaseException as error:  # noqa: BLE001  upload() raises it in the caller's thread
            self._results.put(error)

    def _next(self) -> LocalFile | None:
        with self._lock:
            is_stopped = self._context.stop.is_set()
            return self._pending.popleft() if self._pending and not is_stopped else None

    def _process(self, file: LocalFile) -> None:
        if self._fatal_error:
            self._results.put((file.index, unsent_result(file.path, self._fatal_error)))
            return
        progress = FileProgress(self._progress, sanitize(file.path.name), file.size)
        try:
            digest = file.digest(self._context.stop)
        except OSError as error:
            self._results.put((file.index, failed_result(file.path, error)))
        else:
            if not self._claim(file, digest):
                return
            result = self._transfer(file, digest, progress)
            self._results.put((file.index, result))
            self._release_duplicates(result, digest)
        progress.finish()

    def _claim(self, file: LocalFile, digest: FileDigest) -> bool:
        """Return whether these bytes aren't in transfer yet; otherwise let the file wait."""
        with self._lock:
            waiting = self._duplicates.get(digest.sha256)
            if waiting is None:
                self._duplicates[digest.sha256] = []
                return True
            waiting.append(file)
            return False

    def _release_duplicates(self, result: UploadResult, digest: FileDigest) -> None:
        """Give waiting duplicates the same photo; after a failure, queue them again."""
        with self._lock:
            waiting = self._duplicates.pop(digest.sha256)
            if result.photo is None:
                self._pending.extendleft(reversed(waiting))
                return
        for file in waiting:
            FileProgress(self._progress, sanitize(file.path.name), file.size).finish()
            duplicate = UploadResult(file=str(file.path), status="existing", photo=result.photo)
            self._results.put((file.index, duplicate))

    def _transfer(
        self, file: LocalFile, digest: FileDigest, progress: FileProgress
    ) -> UploadResult:
        transfer = Transfer(self._context, file, digest, progress)
        try:
            photo, created = self._run_with_retries(transfer, progress)
        except (Invalid, RequestTimeout, OSError) as error:
            transfer.abort()
            return failed_result(file.path, error)
        except SafelightError as error:
            self._fatal_error = error
            transfer.abort()
            return failed_result(file.path, error)
        except TransferStopped:
            transfer.abort()
            raise
        return UploadResult(
            file=str(file.path), status="added" if created else "existing", photo=photo
        )

    def _run_with_retries(self, transfer: Transfer, progress: FileProgress) -> tuple[Photo, bool]:
        """Retry while the server is busy or restarting, and after a broken connection.

        Repeating a request is harmless: the server stores the same bytes only once.
        """
        busy = unreachable = 0
        while True:
            try:
                return transfer.run()
            except (Unavailable, TooManyUploads) as error:
                busy += 1
                if busy == _BUSY_ATTEMPTS:
                    raise
                pause = min(error.retry_after or _DEFAULT_PAUSE, _MAX_PAUSE).total_seconds()
            except OperatorError as error:
                unreachable += 1
                if unreachable == _RESTART_ATTEMPTS or not self._may_restart(error):
                    raise
                pause = min(2.0 ** (unreachable - 1), _MAX_RESTART_PAUSE)
            progress.show_waiting()
            if self._context.stop.wait(pause):
                raise TransferStopped

    def _may_restart(self, error: OperatorError) -> bool:
        """Whether the connection failed to a server that answered before."""
        is_lost = isinstance(error.__cause__, httpx.TransportError)
        return is_lost and self._context.answered.is_set() and not self._context.stop.is_set()

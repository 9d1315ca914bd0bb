"""Upload many files in parallel, with retries."""

import collections
import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeVar

import httpx

from safelight.client.api import Photo
from safelight.client.files import FileDigest, LocalFile, TransferStopped
from safelight.client.http import DirectUploadsUnsupported
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

_SMALL: Final = 512 * 1024
"""Several files of at most this many bytes go through the server: one request for each instead of
three, and no copy in the bucket before it is checked. Most proxies let as much pass."""
_BATCH: Final = 32
"""Small files that are hashed before the server is asked which of them it has."""

_STOP_SECONDS: Final = 1.5
"""Time for stopped threads to abort what they have reserved."""

_T = TypeVar("_T")
IndexedResult = tuple[int, UploadResult]
"""A result, with the index of its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _HashedFile:
    """A file that can be sent, `by_form` or not, or the photo that the server has of it."""

    file: LocalFile
    digest: FileDigest
    by_form: bool = False
    photo: Photo | None = None


class Uploader:
    """Uploads files in `jobs` threads, until an error concerns all of them.

    The first files go alone until the server has answered, so an unreachable server gets one
    request. Of several files with the same bytes, one is uploaded and the others wait for it.
    """

    def __init__(self, context: TransferContext, progress: UploadProgress, *, jobs: int) -> None:
        self._context = context
        self._progress = progress
        self._jobs = jobs
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        """Notified when files have been hashed, or the run stops."""
        self._pending: collections.deque[LocalFile] = collections.deque()
        self._hashed: collections.deque[_HashedFile] = collections.deque()
        self._hashing = 0
        """Threads that hash files, which any thread may send then."""
        self._duplicates: dict[str, list[LocalFile]] = {}
        """By the SHA-256 of a file in transfer: other files with the same bytes."""
        self._results: queue.SimpleQueue[IndexedResult | BaseException] = queue.SimpleQueue()
        self._fatal_error: SafelightError | None = None
        self._asks = True
        """Whether the server can be asked which files it has. Those of version 0.1 can't."""

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
            with self._changed:
                self._changed.notify_all()
            deadline = time.monotonic() + _STOP_SECONDS
            for thread in threads:
                thread.join(max(0, deadline - time.monotonic()))

    def _run(self, *, is_first: bool) -> None:
        try:
            if not is_first:
                self._context.answered.wait()
            while (work := self._next()) is not None:
                if isinstance(work, _HashedFile):
                    self._process(work)
                else:
                    self._prepare(work)
        except TransferStopped:
            pass
        except BaseException as error:  # noqa: BLE001  upload() raises it in the caller's thread
            self._results.put(error)

    def _next(self) -> _HashedFile | list[LocalFile] | None:
        """Return a file to send, or files to hash; None when there are no more."""
        with self._changed:
            while not self._context.stop.is_set():
                if self._hashed:
                    return self._hashed.popleft()
                if self._pending:
                    self._hashing += 1
                    return self._take_batch()
                if not self._hashing:
                    return None
                self._changed.wait()
        return None

    def _take_batch(self) -> list[LocalFile]:
        """Take the next file, and if it is small, the small ones after it."""
        batch = [self._pending.popleft()]
        while (
            batch[-1].size <= _SMALL
            and self._pending
            and self._pending[0].size <= _SMALL
            and len(batch) < _BATCH
        ):
            batch.append(self._pending.popleft())
        return batch

    def _prepare(self, batch: Sequence[LocalFile]) -> None:
        """Hash files, and find out which of them the server has."""
        hashed: list[_HashedFile] = []
        try:
            for file in batch:
                if self._fatal_error:
                    self._finish(file, unsent_result(file.path, self._fatal_error))
                    continue
                try:
                    digest = file.digest(self._context.stop)
                except OSError as error:
                    self._finish(file, failed_result(file.path, error))
                else:
                    hashed.append(_HashedFile(file=file, digest=digest))
            hashed = self._ask(hashed)
        finally:
            with self._changed:
                self._hashing -= 1
                self._hashed.extend(hashed)
                self._changed.notify_all()

    def _ask(self, hashed: list[_HashedFile]) -> list[_HashedFile]:
        """Find out which photos the server has of several files; the others are small."""
        wanted = {each.digest.sha256 for each in hashed}
        if len(wanted) < 2 or not self._asks:  # one is found when it is reserved
            return hashed
        progress = FileProgress(self._progress, sanitize(hashed[0].file.path.name), 0)
        try:
            known = self._run_with_retries(
                lambda: self._context.client.existing(sorted(wanted)), progress
            )
        except (DirectUploadsUnsupported, Invalid):
            self._asks = False
            return hashed
        except SafelightError as error:
            self._fatal_error = error
            first, *others = hashed
            self._finish(first.file, failed_result(first.file.path, error))
            return others
        self._context.answered.set()
        return [replace(each, by_form=True, photo=known.get(each.digest.sha256)) for each in hashed]

    def _finish(self, file: LocalFile, result: UploadResult) -> None:
        """Report the result of a file that isn't sent."""
        FileProgress(self._progress, sanitize(file.path.name), file.size).finish()
        self._results.put((file.index, result))

    def _process(self, hashed: _HashedFile) -> None:
        file, digest = hashed.file, hashed.digest
        if hashed.photo:
            self._finish(file, _existing(file, hashed.photo))
        elif self._fatal_error:
            self._finish(file, unsent_result(file.path, self._fatal_error))
        elif self._claim(file, digest):
            progress = FileProgress(self._progress, sanitize(file.path.name), file.size)
            result = self._transfer(hashed, progress)
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
            self._finish(file, _existing(file, result.photo))

    def _transfer(self, hashed: _HashedFile, progress: FileProgress) -> UploadResult:
        file = hashed.file
        transfer = Transfer(self._context, file, hashed.digest, progress, by_form=hashed.by_form)
        try:
            photo, created = self._run_with_retries(transfer.run, progress)
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

    def _run_with_retries(self, run: Callable[[], _T], progress: FileProgress) -> _T:
        """Retry while the server is busy or restarting, and after a broken connection.

        Repeating a request is harmless: the server stores the same bytes only once.
        """
        busy = unreachable = 0
        while True:
            try:
                return run()
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


def _existing(file: LocalFile, photo: Photo) -> UploadResult:
    return UploadResult(file=str(file.path), status="existing", photo=photo)

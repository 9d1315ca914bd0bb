"""The parts of a blocking library."""

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Concatenate, ParamSpec, TypeVar

from safelight.library.downloads.downloads import OpenDownload
from safelight.library.jobs import Jobs
from safelight.library.sync.library import SyncLibrary
from safelight.library.uploads.direct_uploads import DirectUploads

P = ParamSpec("P")
T = TypeVar("T")


class SyncUploads:
    """The blocking methods of `library.uploads`."""

    def __init__(self, library: SyncLibrary) -> None:
        self._library = library

    @staticmethod
    def _blocking(
        method: Callable[Concatenate[DirectUploads, P], Awaitable[T]],
    ) -> "Callable[Concatenate[SyncUploads, P], T]":
        @functools.wraps(method)
        def call(self: "SyncUploads", /, *args: P.args, **kwargs: P.kwargs) -> T:
            return self._library.run(lambda library: method(library.uploads, *args, **kwargs))

        return call

    begin = _blocking(DirectUploads.begin)
    sign = _blocking(DirectUploads.sign)
    complete = _blocking(DirectUploads.complete)
    abort = _blocking(DirectUploads.abort)


class SyncJobs:
    """The blocking methods of `library.jobs`."""

    def __init__(self, library: SyncLibrary) -> None:
        self._library = library

    @staticmethod
    def _blocking(
        method: Callable[Concatenate[Jobs, P], Awaitable[T]],
    ) -> "Callable[Concatenate[SyncJobs, P], T]":
        @functools.wraps(method)
        def call(self: "SyncJobs", /, *args: P.args, **kwargs: P.kwargs) -> T:
            return self._library.run(lambda library: method(library.jobs, *args, **kwargs))

        return call

    list = _blocking(Jobs.list)
    count = _blocking(Jobs.count)
    retry = _blocking(Jobs.retry)


class SyncDownload:
    """An archive that is being sent; see `Library.open_download`. `size` is in bytes."""

    def __init__(self, library: SyncLibrary, opened: OpenDownload) -> None:
        self._library = library
        self._opened = opened
        self.filename = opened.filename
        self.size = opened.size
        self.etag = opened.etag

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the archive's bytes from `start` to `stop`."""
        parts = self._opened.read(start, stop)
        try:
            while (part := self._library.run(lambda _: _next(parts))) is not None:
                yield part
        finally:
            self._library.run(lambda _: parts.aclose())


async def _next(parts: AsyncGenerator[bytes]) -> bytes | None:
    return await anext(parts, None)

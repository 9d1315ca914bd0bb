"""The parts of a blocking library."""

import functools
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

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

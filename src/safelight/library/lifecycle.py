"""Start and stop a library: open its backends, and assemble what works on them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Self

from safelight.errors import UsageError
from safelight.library.hooks import Hooks

if TYPE_CHECKING:
    # A program that embeds a library imports these when it starts it: they take a second.
    from sqlalchemy.ext.asyncio import AsyncEngine

    from safelight.library.assembly import Components
    from safelight.library.backends import Backends
    from safelight.library.jobs import Jobs
    from safelight.library.processing.on_demand import OnDemandRenditions
    from safelight.library.reconcile.reconciler import Reconciler
    from safelight.library.spool import Spool
    from safelight.library.uploads.direct_uploads import DirectUploads
    from safelight.metrics import LibraryMetrics
    from safelight.settings import LimitSettings, Settings

utc_now: Callable[[], datetime] = partial(datetime.now, UTC)
"""The default clock: the current time in UTC."""


class LibraryLifecycle:
    """What every library has before it is about photos: settings, start, readiness, close.

    `worker` says whether the library also runs jobs; without it, they wait for another process.
    `settings` are those that it was made from, if any.
    """

    # Set by `start`. These are attributes, not properties: each request uses several of them.
    backends: "Backends"
    """The catalog, the bucket and the other backends."""
    components: "Components"
    """What works on the backends."""
    uploads: "DirectUploads"
    """Uploads that clients send directly to the bucket."""
    renditions: "OnDemandRenditions"
    """Renditions that are made when they are asked for."""
    jobs: "Jobs"
    """The background jobs of all owners; for operators."""
    reconciler: "Reconciler"
    """Compares the rows and objects of all owners; for operators."""
    spool: "Spool"
    """Temporary storage for the bytes of uploads."""
    limits: "LimitSettings"
    """The limits of one upload."""

    def __init__(
        self,
        backends: "Callable[[], AbstractAsyncContextManager[Backends]]",
        *,
        clock: Callable[[], datetime] = utc_now,
        worker: bool = True,
        settings: "Settings | None" = None,
    ) -> None:
        self._open_backends = backends
        self._runs_jobs = worker
        self.settings = settings
        self.now = clock
        self.hooks = Hooks()
        self._stack = AsyncExitStack()
        self._is_started = False

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """Explain why an attribute that `start` sets is missing."""
            if name in LibraryLifecycle.__annotations__:
                raise UsageError(
                    "The library is not started: use FastAPI(lifespan=library.lifespan), or"
                    " 'async with library:'."
                )
            raise AttributeError(name)

    @classmethod
    def from_settings(
        cls,
        settings: "Settings",
        *,
        clock: Callable[[], datetime] = utc_now,
        worker: bool = True,
    ) -> Self:
        """Make a library that, when started, starts or connects to the engines of the settings.

        With ``worker=False``, it leaves jobs to the libraries of other processes. `clock` returns
        the current time in UTC, for tests.
        """

        def open_them() -> "AbstractAsyncContextManager[Backends]":
            from safelight.library.backends import open_backends

            return open_backends(settings, clock)

        return cls(open_them, clock=clock, worker=worker, settings=settings)

    @cached_property
    def metrics(self) -> "LibraryMetrics":
        """The counters of this library."""
        from safelight.metrics import LibraryMetrics

        return LibraryMetrics()

    @contextmanager
    def using(
        self, backends: Callable[[], "AbstractAsyncContextManager[Backends]"]
    ) -> Iterator[None]:
        """Open other backends if the library is started in this context, and run no jobs.

        For tests of apps whose library is made when their module is imported. Raises UsageError
        if the library is started before the context, or not closed in it.
        """
        if self._is_started:
            raise UsageError("The library is already started.")
        before = self._open_backends, self._runs_jobs
        self._open_backends, self._runs_jobs = backends, False
        try:
            yield
        finally:
            self._open_backends, self._runs_jobs = before
        if self._is_started:
            raise UsageError(
                "The library is still started. Leave the lifespan of the app, or close the library."
            )

    async def start(self) -> None:
        """Start or connect to the engines, and migrate the schema to the newest version.

        Raises OperatorError with what to do, UsageError if the library is already started.
        """
        if self._is_started:
            raise UsageError("The library is already started.")
        from safelight.library.assembly import assemble
        from safelight.library.jobs import Jobs

        async with AsyncExitStack() as stack:
            backends = await stack.enter_async_context(self._open_backends())
            components = await stack.enter_async_context(
                assemble(backends, self.metrics, self.now, self.hooks, runs_jobs=self._runs_jobs)
            )
            self._stack = stack.pop_all()
        self.backends, self.components = backends, components
        self.uploads, self.jobs = components.direct_uploads, Jobs(backends.catalog)
        self.reconciler, self.renditions = components.reconciler, components.on_demand
        self.spool, self.limits = backends.spool, backends.limits
        self._is_started = True

    async def close(self) -> None:
        """Finish what is in progress, and stop what `start` started."""
        try:
            await self._stack.aclose()
        finally:
            self._is_started = False
            for name in (*LibraryLifecycle.__annotations__, "engine"):
                vars(self).pop(name, None)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncIterator[None]:
        """Start and close with an app, ``FastAPI(lifespan=library.lifespan)``, or within yours.

        A library that is already started is left to its owner to close.
        """
        if self._is_started:
            yield
            return
        await self.start()
        try:
            yield
        finally:
            await self.close()

    @cached_property
    def engine(self) -> "AsyncEngine":
        """An engine of SQLAlchemy for your rows in the catalog's database.

        Its pool is its own, and is closed with the library. Read the property each time, since a
        library that is started again has another one. Raises UsageError before the library is
        started.
        """
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(self.database_url)
        self._stack.push_async_callback(engine.dispose)
        return engine

    @property
    def database_url(self) -> str:
        """The catalog's URL with the password, for SQLAlchemy's engines with psycopg.

        Raises UsageError before the library is started.
        """
        return self.backends.catalog.url

    async def ready(self) -> None:
        """Return if PostgreSQL, the store and the spool take writes; raise the error otherwise."""
        self.backends.link_signer.check()
        for error in await asyncio.gather(
            self.backends.catalog.ping(),
            self.backends.bucket.ping(),
            asyncio.to_thread(self.spool.check),
            return_exceptions=True,
        ):
            if error is not None:
                raise error

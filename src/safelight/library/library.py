"""The life of a photo: in, shown, changed, out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import BinaryIO, Self

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import Cursor, Month, Page
from safelight.crash_points import reached
from safelight.errors import InvalidRequest, NotFound, SafelightError
from safelight.jobs import Jobs, State, counted, listed, retry
from safelight.library.captions import MAX_DESCRIPTION, MAX_TITLE, checked, checked_text
from safelight.library.intake import Added
from safelight.library.parts import Parts, opened
from safelight.library.reconciler import Reconciler
from safelight.library.spool import Spool
from safelight.library.tally import Tally
from safelight.library.tasks import Undeveloped, develop_each_later, purge_later
from safelight.library.uploads import Begun, Operation
from safelight.library.workings import Workings, working
from safelight.links import Link
from safelight.permits import Permit
from safelight.photo import Caption, Order, Photo
from safelight.settings import LimitSettings, Settings

MAX_PAGE = 500
"""Photos that one page may list."""
MAX_SKIP = 1_000_000
"""Photos that a page may leave out after its cursor."""


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


class Library:
    """Photos of any number of owners, in one bucket and one catalog.

    Whatever reads or changes a photo takes `owner`, an opaque string of the caller's. Use it
    between `start` and `close`, or inside `lifespan`. Every call may raise the errors under
    `Unavailable` when an engine is away; nothing was stored then.

    `worker` is whether it does jobs too, beside its calls; without it they wait for whoever does.
    """

    def __init__(
        self,
        parts: Callable[[], AbstractAsyncContextManager[Parts]],
        *,
        clock: Callable[[], datetime] = utc_now,
        worker: bool = True,
    ) -> None:
        self._open = parts
        self._does_jobs = worker
        self.tally = Tally()
        self._clock = clock
        self._stack = AsyncExitStack()
        self._working: Workings | None = None

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = utc_now,
        worker: bool = True,
    ) -> Self:
        """Make a library that starts, or reaches, its engines when it is started itself."""
        return cls(lambda: opened(settings, clock), clock=clock, worker=worker)

    async def start(self) -> None:
        """Start or reach the engines and bring the schema up to date.

        Raises OperatorError with what to do about it, RuntimeError if it is started already.
        """
        if self._working is not None:
            raise RuntimeError("the library is started already")
        async with AsyncExitStack() as stack:
            parts = await stack.enter_async_context(self._open())
            work = working(parts, self._clock, does_jobs=self._does_jobs)
            self._working = await stack.enter_async_context(work)
            self._stack = stack.pop_all()

    async def close(self) -> None:
        """Finish what is under way and stop what was started."""
        try:
            await self._stack.aclose()
        finally:
            self._working = None

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """Be started and closed with an app: ``FastAPI(lifespan=library.lifespan)``.

        A library that was started before the app is its starter's to close.
        """
        if self._working is not None:
            yield
            return
        await self.start()
        try:
            yield
        finally:
            await self.close()

    @property
    def parts(self) -> Parts:
        """What it is put together from, while it is started."""
        return self.workings.parts

    @property
    def workings(self) -> Workings:
        """What does the work in it, while it is started."""
        if self._working is None:
            raise RuntimeError("the library is not started: pass lifespan=library.lifespan")
        return self._working

    @property
    def database_url(self) -> str:
        """Where the catalog is, password and all, for SQLAlchemy's async engine with psycopg."""
        return self.parts.catalog.url

    @property
    def spool(self) -> Spool:
        """Where the bytes of an upload can lie until they are added."""
        return self.parts.spool

    @property
    def limits(self) -> LimitSettings:
        """What one upload may cost."""
        return self.parts.limits

    def now(self) -> datetime:
        """Tell the time by this library's clock."""
        return self._clock()

    async def ready(self) -> None:
        """Return if both engines answer and links can be signed."""
        self.parts.links.check()
        async with asyncio.TaskGroup() as group:
            pings = (self.parts.catalog.ping(), self.parts.storage.ping())
            tasks = [group.create_task(_outcome(ping)) for ping in pings]
        for task in tasks:
            if error := task.result():
                raise error

    async def add(
        self,
        owner: str,
        file: BinaryIO,
        caption: Caption | None = None,
        *,
        within: AsyncConnection | None = None,
    ) -> Added:
        """Take a photo in. `file` is open for reading, and is read from its beginning to its end.

        The same bytes a second time give the photo that is there, unchanged. Raises the errors
        under `Invalid` for bytes that aren't a whole photo of at most `limits.max_form_bytes`, or
        for a caption that can't be kept.

        `within` is a connection to the catalog's own database in a READ COMMITTED transaction of
        yours: the photo is there when you commit. If you roll back it never was, and what was
        stored of it goes with the sweep. ValueError for another isolation, or for an owner that is
        no name.
        """
        _check_owner(owner)
        await _check_isolation(within)
        with self.tally.refusals():
            added = await self._added(owner, file, caption or Caption(), within)
        self.tally.added(created=added.created, size=added.photo.size)
        return added

    async def _added(
        self, owner: str, file: BinaryIO, caption: Caption, within: AsyncConnection | None
    ) -> Added:
        caption = checked(caption)
        self.parts.links.check()  # before anything is stored: an answer without links is a 503
        with self.spool.nameless(file, limit=self.limits.max_form_bytes) as photo:
            return await self.workings.intake.admit(owner, photo, caption, within=within)

    async def begin_upload(  # noqa: PLR0913  an upload is made of these
        self,
        owner: str,
        *,
        size: int,
        content_type: str,
        caption: Caption | None = None,
        sha256: str | None = None,
        in_parts: bool = False,
        endpoint: str | None = None,
    ) -> Begun | Added:
        """Reserve an upload that its client sends straight to the bucket (docs/uploads.md).

        Gives what it may send, or the photo, if the owner has one of this SHA-256. Raises the
        errors under `Invalid` for what couldn't be taken, and TooManyUploads. `endpoint` is where
        the client reaches the store; None: as configured.
        """
        _check_owner(owner)
        return await self.workings.uploads.begin(
            owner,
            size=size,
            content_type=content_type,
            caption=caption or Caption(),
            sha256=sha256,
            in_parts=in_parts,
            endpoint=endpoint,
        )

    async def sign_upload(  # noqa: PLR0913  a step of an upload is made of these
        self,
        owner: str,
        name: str,
        operation: Operation,
        *,
        part_number: int | None = None,
        upload_id: str | None = None,
        endpoint: str | None = None,
    ) -> Permit:
        """Sign a step of an upload in parts. Raises NotFound, InvalidRequest."""
        return await self.workings.uploads.sign(
            owner,
            name,
            operation,
            part_number=part_number,
            upload_id=upload_id,
            endpoint=endpoint,
        )

    async def complete_upload(self, owner: str, name: str) -> Added:
        """Make a photo of what was sent; called again, it gives the same one.

        Raises NotFound, UploadIncomplete while bytes are missing, and the errors under `Invalid`
        for bytes that can't be taken: those are gone then, and so is the upload.
        """
        with self.tally.refusals():
            added = await self.workings.uploads.complete(owner, name)
        self.tally.added(created=added.created, size=added.photo.size)
        return added

    async def abort_upload(self, owner: str, name: str) -> None:
        """Give an upload up, with all that was sent of it. Raises NotFound, also the second time.

        If the store is away, what was sent goes as soon as it is back.
        """
        await self.workings.uploads.abort(owner, name)

    async def photo(self, owner: str, id_: int) -> Photo:
        """Find one. Raises NotFound, for somebody else's too."""
        self.parts.darkroom.readers.note()
        return await self.parts.catalog.photo(owner, id_)

    async def photos(self, owner: str, ids: Sequence[int]) -> list[Photo]:
        """Find those of the ids that are there and the owner's, in no order."""
        return await self.parts.catalog.photos(owner, ids)

    async def page(
        self,
        owner: str,
        *,
        order: Order = Order.ADDED,
        after: str | None = None,
        limit: int = 100,
        skip: int = 0,
    ) -> Page:
        """List ids and versions, newest first; `after` is the cursor of the page before.

        `skip` leaves out as many after the cursor, for who wants to see the midst of a list; each
        costs a little.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidRequest(f"The limit must lie between 1 and {MAX_PAGE}.")
        if not 0 <= skip <= MAX_SKIP:
            raise InvalidRequest(f"What is skipped must lie between 0 and {MAX_SKIP}.")
        cursor = Cursor.parse(after, order) if after is not None else None
        self.parts.darkroom.readers.note()
        return await self.parts.catalog.page(
            owner, order=order, after=cursor, limit=limit, skip=skip
        )

    async def months(self, owner: str, *, order: Order = Order.TAKEN) -> list[Month]:
        """Count the photos of each month that has any, newest first."""
        return await self.parts.catalog.months(owner, order=order)

    async def edit(
        self, owner: str, id_: int, *, title: str | None = None, description: str | None = None
    ) -> Photo:
        """Change title or description, or both; None leaves it. Raises NotFound."""
        if title is not None:
            checked_text("title", title, MAX_TITLE)
        if description is not None:
            checked_text("description", description, MAX_DESCRIPTION)
        return await self.parts.catalog.edit(owner, id_, title=title, description=description)

    async def delete(self, owner: str, id_: int) -> None:
        """Delete a photo: it is gone from every list, and its links die. Raises NotFound.

        If the store is away its objects go as soon as it is back.
        """
        doomed = await self.parts.catalog.bury(owner, id_, now=self._clock(), along=purge_later)
        reached("delete: row buried")
        self.tally.deletions += 1
        await self.workings.sweep.purge_soon(doomed, passing="delete")
        reached("delete: purge noted")

    async def jobs(self, *, task: str | None = None) -> Jobs:
        """Tell which jobs wait, are late, run or have failed, whoever's photos they are about."""
        return await self.parts.catalog.read(lambda connection: listed(connection, task=task))

    async def job_counts(self) -> dict[State, int]:
        """Tell how many jobs there are in each state."""
        return await self.parts.catalog.read(counted)

    async def retry_jobs(self, ids: Sequence[int] | None = None) -> list[int]:
        """Repeat failed jobs, all of them if None; gives the ids of those that were."""
        return await self.parts.catalog.change(lambda connection: retry(connection, ids))

    async def develop(self, owner: str, id_: int) -> Photo:
        """Make the renditions that a photo lacks, and give it with them all.

        Twice does no harm. Raises NotFound.
        """
        return await self.workings.prints.complete(await self.parts.catalog.photo(owner, id_))

    async def develop_missing(self, owner: str, *, after: int = 0) -> Undeveloped:
        """Have jobs make the renditions that the owner's photos lack, a batch in a call.

        Go on with `after=found.next` until that is None.
        """
        return await develop_each_later(
            self.parts.catalog, self.workings.prints, owner, after=after
        )

    @property
    def reconciler(self) -> Reconciler:
        """What compares all rows, whoever's, with all objects: for operators."""
        return self.workings.reconciler

    def link(
        self,
        photo: Photo,
        rendition: str = "original",
        *,
        endpoint: str | None = None,
        now: datetime | None = None,
    ) -> Link:
        """Sign a link to the original or a rendition, by its name. Raises NotFound."""
        key = _key(photo, rendition)
        return self.parts.links.link(key, photo.name, endpoint=endpoint, now=now)

    def download(self, photo: Photo, *, endpoint: str | None = None) -> Link:
        """Sign a link, good for some minutes, that saves the original under its name."""
        filename = photo.filename or f"photo-{photo.id}.{photo.facts.format}"
        key = _key(photo, "original")
        return self.parts.links.download(key, photo.name, filename, endpoint=endpoint)

    def links_turn_over_at(self, photo: Photo, *, now: datetime) -> datetime:
        """Tell until when all links of a photo stay the same."""
        return self.parts.links.turns_over_at(photo.name, now)


def _check_owner(owner: str) -> None:
    if not isinstance(owner, str) or not owner or "\0" in owner:
        raise ValueError("an owner is a string with something in it, and no NUL")


async def _check_isolation(within: AsyncConnection | None) -> None:
    """Raise ValueError for a snapshot that may be older than the reservation, and not see it."""
    if within and await within.get_isolation_level() not in {"READ COMMITTED", "READ UNCOMMITTED"}:
        raise ValueError("the transaction to add a photo within must be READ COMMITTED")


def _key(photo: Photo, rendition: str) -> str:
    if rendition == "original":
        return keys.original(photo.name)
    for made in photo.renditions:
        if made.name == rendition:
            return made.key
    raise NotFound


async def _outcome(ping: Awaitable[None]) -> SafelightError | None:
    try:
        await ping
    except SafelightError as error:
        return error
    return None

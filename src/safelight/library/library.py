"""The life of a photo: in, shown, changed, out."""

import asyncio
import logging
import mmap
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import BinaryIO, Self

from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import Cursor, Page, Reservation
from safelight.errors import InvalidRequest, NotFound, SafelightError, TooLarge
from safelight.library.captions import MAX_DESCRIPTION, MAX_TITLE, checked, checked_text
from safelight.library.parts import Parts, opened
from safelight.library.prints import Prints
from safelight.library.spool import Spool
from safelight.library.sweep import Sweep
from safelight.links import Link
from safelight.photo import Caption, ImageFacts, Order, Photo
from safelight.settings import LimitSettings, Settings

_log = logging.getLogger(__name__)

_CHUNK = 256 * 1024

MAX_PAGE = 500
"""Photos that one page may list."""


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of an upload. `created` is False if the owner had the same bytes already."""

    photo: Photo
    created: bool


class Library:
    """Photos of any number of owners, in one bucket and one catalog.

    Whatever reads or changes a photo takes `owner`, an opaque string of the caller's. Use it
    between `start` and `close`, or inside `lifespan`. Every call may raise the errors under
    `Unavailable` when an engine is away; nothing was stored then.
    """

    def __init__(
        self,
        parts: Callable[[], AbstractAsyncContextManager[Parts]],
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._open = parts
        self._clock = clock
        self._stack = AsyncExitStack()
        self._opened: Parts | None = None
        self._sweep: Sweep | None = None
        self._prints: Prints | None = None
        self._cleaning: set[asyncio.Task[None]] = set()

    @classmethod
    def from_settings(cls, settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> Self:
        """Make a library that starts, or reaches, its engines when it is started itself."""
        return cls(lambda: opened(settings, clock), clock=clock)

    async def start(self) -> None:
        """Start or reach the engines and bring the schema up to date. Raises OperatorError."""
        async with AsyncExitStack() as stack:
            parts = await stack.enter_async_context(self._open())
            self._sweep = Sweep(parts.catalog, parts.storage, clock=self._clock)
            await stack.enter_async_context(self._sweep.running())
            self._prints = Prints(parts)
            stack.push_async_callback(self._prints.close)
            stack.push_async_callback(self._cleaned_up)
            self._opened = parts
            self._stack = stack.pop_all()

    async def close(self) -> None:
        """Finish what is under way and stop what was started."""
        self._opened = None
        await self._stack.aclose()

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """Be started and closed with an app: ``FastAPI(lifespan=library.lifespan)``."""
        await self.start()
        try:
            yield
        finally:
            await self.close()

    @property
    def parts(self) -> Parts:
        """What it is put together from, while it is started."""
        if self._opened is None:
            raise RuntimeError("the library is not started: pass lifespan=library.lifespan")
        return self._opened

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

        `within` is a connection to the catalog's own database in a transaction of yours: the
        photo is there when you commit. If you roll back it never was, and what was stored of it
        goes with the sweep.
        """
        caption = checked(caption or Caption())
        self.parts.links.check()  # before anything is stored: an answer without links is a 503
        with self._on_disk(file) as photo:
            seen = await self.parts.darkroom.inspect(photo, digest=True)
            assert seen.sha256 is not None  # noqa: S101  it was asked for
            twin = await self.parts.catalog.twin(owner, seen.sha256, within=within)
            if twin:
                return Added(photo=twin, created=False)
            return await self._take_in(
                owner, photo, caption, facts=seen.facts, sha256=seen.sha256, within=within
            )

    async def photo(self, owner: str, id_: int) -> Photo:
        """Find one. Raises NotFound, for somebody else's too."""
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
    ) -> Page:
        """List ids and versions, newest first; `after` is the cursor of the page before."""
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidRequest(f"The limit must lie between 1 and {MAX_PAGE}.")
        cursor = Cursor.parse(after, order) if after is not None else None
        return await self.parts.catalog.page(owner, order=order, after=cursor, limit=limit)

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
        doomed = await self.parts.catalog.bury(owner, id_, now=self._clock())
        await self._swept.purge_soon(doomed)

    async def develop(self, owner: str, id_: int) -> Photo:
        """Make the renditions that a photo lacks, and give it with them all.

        Twice does no harm. Raises NotFound.
        """
        return await self._printed.complete(await self.photo(owner, id_))

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

    def links_turn_over_at(self, photo: Photo, *, now: datetime) -> datetime:
        """Tell until when all links of a photo stay the same."""
        return self.parts.links.turns_over_at(photo.name, now)

    @property
    def _swept(self) -> Sweep:
        assert self._sweep is not None  # noqa: S101  start() made it along with the parts
        return self._sweep

    @property
    def _printed(self) -> Prints:
        assert self._prints is not None  # noqa: S101  start() made it along with the parts
        return self._prints

    async def _take_in(  # noqa: PLR0913  a photo is made of these
        self,
        owner: str,
        file: BinaryIO,
        caption: Caption,
        *,
        facts: ImageFacts,
        sha256: str,
        within: AsyncConnection | None,
    ) -> Added:
        """Write a row, then the objects, then make the row ready, or leave nothing.

        Renditions that the first screen doesn't need are made afterwards; but nobody can tell
        when a transaction of the caller's is committed, so within one all of them are made.
        """
        catalog, prints = self.parts.catalog, self._printed
        development = await prints.develop(file, facts, whole=within is not None)
        details = replace(facts.details, colour=development.colour)
        facts = replace(facts, details=details)
        reservation = await catalog.reserve(owner, caption, name=keys.new_name(), now=self._clock())
        try:
            size = await self._store(file, reservation, facts.content_type)
            photo = await catalog.publish(
                reservation,
                facts,
                size=size,
                sha256=sha256,
                now=self._clock(),
                renditions=await prints.store(reservation.name, development),
                thumbhash=development.thumbhash,
                within=within,
            )
        except BaseException:
            self._undo(reservation)
            raise
        if photo.id != reservation.id:
            self._undo(reservation)
        elif within is None:
            prints.complete_later(photo)
        return Added(photo=photo, created=photo.id == reservation.id)

    @contextmanager
    def _on_disk(self, file: BinaryIO) -> Iterator[BinaryIO]:
        """Give the file, or a spooled copy of it if it has no descriptor to hand on."""
        limit = self.limits.max_form_bytes
        if file.seek(0, os.SEEK_END) > limit:
            raise TooLarge(f"The photo is larger than {limit} bytes.")
        try:
            file.fileno()
        except OSError:
            with self.spool.file() as copy:
                file.seek(0)
                while chunk := file.read(_CHUNK):
                    copy.write(chunk)
                yield copy.file
        else:
            file.flush()
            yield file

    async def _store(self, file: BinaryIO, reservation: Reservation, content_type: str) -> int:
        key = keys.original(reservation.name)
        # Mapped, not read: its pages are the kernel's to drop. Not closed by hand, since a write
        # that was given up may hold on to it a little longer.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        await self.parts.storage.put(key, data, content_type=content_type)
        return len(data)

    def _undo(self, reservation: Reservation) -> None:
        """Undo a reservation, apart from the request, which may be cancelled or late already."""
        task = asyncio.create_task(self._undone(reservation))
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)

    async def _undone(self, reservation: Reservation) -> None:
        try:
            doomed = await self.parts.catalog.abandon(reservation, now=self._clock())
            if doomed:
                await self._swept.purge_soon(doomed)
        except SafelightError as error:
            _log.warning("reservation %s is left to the sweep: %s", reservation.id, error)

    async def _cleaned_up(self) -> None:
        if self._cleaning:
            await asyncio.wait(self._cleaning, timeout=5)


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

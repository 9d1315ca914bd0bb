"""A blocking library, for programs without an event loop: Flask, Django, scripts."""

import asyncio
import functools
import inspect
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Final, Literal, ParamSpec, Self, TypeVar

from safelight.errors import UsageError
from safelight.library.hooks import HookT
from safelight.library.library import Library
from safelight.library.methods.markup import Html
from safelight.library.sync.loop_thread import LoopThread
from safelight.models import Photo

if TYPE_CHECKING:
    # A program that embeds a library imports these when it uses them.
    from sqlalchemy.orm import MappedColumn

    from safelight.library.attachments import OwnerOfRow
    from safelight.library.sync.parts import SyncDownload, SyncJobs, SyncUploads
    from safelight.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

_FORKED: Final = (
    "This process was forked after the library had been used, or while it was starting. Make the"
    " first call after the fork: each process starts a library of its own."
)
_libraries: "weakref.WeakSet[SyncLibrary]" = weakref.WeakSet()


def _blocking(
    method: Callable[Concatenate[Library, P], Awaitable[T]],
) -> "Callable[Concatenate[SyncLibrary, P], T]":
    """Return a blocking method, with the same arguments and docstring."""

    @functools.wraps(method)
    def call(self: "SyncLibrary", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(lambda library: method(library, *args, **kwargs))

    return call


def _on_loop(
    method: Callable[Concatenate[Library, P], T],
) -> "Callable[Concatenate[SyncLibrary, P], T]":
    """Return a method that runs on the library's thread, since links are signed on one only."""

    def call(self: "SyncLibrary", /, *args: P.args, **kwargs: P.kwargs) -> T:
        async def call() -> T:
            return method(self.library, *args, **kwargs)

        return self.run(lambda _: call())

    return functools.update_wrapper(call, method)


class SyncLibrary:
    """A library whose methods block; safe to use from any number of threads.

    It has the methods of `Library`, with the same arguments. The library runs on an event loop in
    a thread of its own, and starts with the first call, so that each worker process that a server
    forks has its own. Close it with `close`, or use it as a context manager. If the program ends
    before that, nothing is lost. Raises UsageError in a thread that runs an event loop, which it
    would block, and in a process that was forked after it had been used.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self._thread: LoopThread | None = None
        self._starting = threading.Lock()
        self._is_used = self._is_forked = False
        _libraries.add(self)

    @classmethod
    def from_settings(cls, settings: "Settings", *, worker: bool = True) -> Self:
        """Make a library that starts with the first call; see `Library.from_settings`."""
        return cls(Library.from_settings(settings, worker=worker))

    add = _blocking(Library.add)
    adopt = _blocking(Library.adopt)
    albums = _blocking(Library.albums)
    album = _blocking(Library.album)
    create_album = _blocking(Library.create_album)
    edit_album = _blocking(Library.edit_album)
    delete_album = _blocking(Library.delete_album)
    add_to_album = _blocking(Library.add_to_album)
    remove_from_album = _blocking(Library.remove_from_album)
    move_in_album = _blocking(Library.move_in_album)
    photo = _blocking(Library.photo)
    photos = _blocking(Library.photos)
    list_photos = _blocking(Library.list_photos)
    page = _blocking(Library.page)
    months = _blocking(Library.months)
    count_changes = _blocking(Library.count_changes)
    edit = _blocking(Library.edit)
    set_dates = _blocking(Library.set_dates)
    shift_dates = _blocking(Library.shift_dates)
    rotate = _blocking(Library.rotate)
    trash = _blocking(Library.trash)
    trash_many = _blocking(Library.trash_many)
    restore = _blocking(Library.restore)
    restore_many = _blocking(Library.restore_many)
    list_trash = _blocking(Library.list_trash)
    empty_trash = _blocking(Library.empty_trash)
    revoke_links = _blocking(Library.revoke_links)
    delete = _blocking(Library.delete)
    delete_many = _blocking(Library.delete_many)
    delete_owner = _blocking(Library.delete_owner)
    create_download = _blocking(Library.create_download)
    unattached = _blocking(Library.unattached)
    rendition = _blocking(Library.rendition)
    render = _blocking(Library.render)
    render_missing = _blocking(Library.render_missing)
    prune_renditions = _blocking(Library.prune_renditions)
    reinspect = _blocking(Library.reinspect)
    reinspect_outdated = _blocking(Library.reinspect_outdated)
    ready = _blocking(Library.ready)
    link = _on_loop(Library.link)
    srcset = _on_loop(Library.srcset)
    photo_links = _on_loop(Library.photo_links)
    download_link = _on_loop(Library.download_link)

    def picture(
        self,
        photo: Photo,
        *,
        alt: str,
        sizes: str = "100vw",
        loading: Literal["lazy", "eager"] = "lazy",
        **attributes: str,
    ) -> Html:
        """Return an `<img>`; see `Library.picture`."""
        picture = functools.partial(Library.picture, alt=alt, sizes=sizes, loading=loading)
        return _on_loop(functools.partial(picture, **attributes))(self, photo)

    @property
    def jinja_filters(self) -> Mapping[str, Callable[..., str]]:
        """The filters `photo_url`, `srcset` and `picture` for Jinja templates."""
        return {
            "photo_url": lambda photo, rendition=None: self.link(photo, rendition).url,
            "srcset": self.srcset,
            "picture": self.picture,
        }

    def photo_column(
        self,
        *,
        owner: "OwnerOfRow",
        check: Callable[[Photo], object] | None = None,
        ondelete: str = "SET NULL",
        **options: Any,
    ) -> "MappedColumn[Any]":
        """Return a column for the id of a photo; see `Library.photo_column`."""
        return self.library.photo_column(owner=owner, check=check, ondelete=ondelete, **options)

    def open_download(self, owner: str, token: str) -> "SyncDownload":
        """Open an archive, to send its bytes: ``for part in it.read()``.

        See `Library.open_download`.
        """
        from safelight.library.sync.parts import SyncDownload

        return SyncDownload(self, self.run(lambda library: library.open_download(owner, token)))

    def on_added(self, hook: HookT) -> HookT:
        """Register a function; see `Library.on_added`."""
        return self.library.on_added(hook)

    def on_deleted(self, hook: HookT) -> HookT:
        """Register a function; see `Library.on_deleted`."""
        return self.library.on_deleted(hook)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return another public method of the library, blocking."""
            method = getattr(Library, name, None)
            if callable(method) and not name.startswith("_"):
                wrap = _blocking if inspect.iscoroutinefunction(method) else _on_loop
                return functools.partial(wrap(method), self)
            raise AttributeError(f"'SyncLibrary' object has no attribute {name!r}")

    @property
    def uploads(self) -> "SyncUploads":
        """Uploads that clients send directly to the bucket."""
        from safelight.library.sync.parts import SyncUploads

        return SyncUploads(self)

    @property
    def jobs(self) -> "SyncJobs":
        """The background jobs of all owners; for operators."""
        from safelight.library.sync.parts import SyncJobs

        return SyncJobs(self)

    @property
    def database_url(self) -> str:
        """The catalog's URL with the password, for SQLAlchemy's engine with psycopg."""
        self.start()
        return self.library.database_url

    def run(self, work: Callable[[Library], Awaitable[T]]) -> T:
        """Return the result of async work with the library, such as ``lambda library: …``."""
        thread = self._started_thread()

        async def call() -> T:
            return await work(self.library)

        return thread.run(call())

    def start(self) -> None:
        """Start the library now; do nothing if it is started. Raises as `Library.start` does."""
        self._started_thread()

    def close(self) -> None:
        """Stop the library; a later call starts it again.

        Calls of other threads that are in progress raise an error.
        """
        with self._starting:
            thread, self._thread = self._thread, None
            if thread is None or thread.pid != os.getpid():
                return
            try:
                thread.run(self.library.close())
            finally:
                thread.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _started_thread(self) -> LoopThread:
        _require_no_loop()
        if self._is_forked:
            raise UsageError(_FORKED)
        thread = self._thread  # another thread may close the library
        if thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = self._start()
                thread = self._thread
        if thread.pid != os.getpid():
            raise UsageError(_FORKED)
        return thread

    def note_fork(self) -> None:
        """Note in a new process that its parent has used the library, or is starting it.

        The threads of its event loop and of its store's client exist in the parent only, and the
        lock may be that of another thread.
        """
        self._is_forked = self._is_forked or self._is_used
        self._starting = threading.Lock()

    def _start(self) -> LoopThread:
        self._is_used = True
        thread = LoopThread()
        try:
            thread.run(self.library.start())
        except BaseException:
            thread.stop()
            raise
        return thread


def _note_fork() -> None:
    for library in list(_libraries):
        library.note_fork()


os.register_at_fork(after_in_child=_note_fork)


def _require_no_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(
        "SyncLibrary would block the event loop of this thread. Use Library and `await` here."
    )

"""The darkroom as the server holds it: a few children, and a queue of bounded length before them.

No child is kept for long: one is started when a picture needs it (about half a second), ends after
`_JOBS` pictures or `_IDLE` without one, and is killed and replaced when a picture brings it down.
"""

import asyncio
import fcntl
import logging
import mmap
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import BinaryIO, Final, TypeVar

from safelight import errors
from safelight.darkroom import messages
from safelight.darkroom.capacity import Capacity
from safelight.darkroom.messages import BadAnswer, Development, Exposure, Inspection
from safelight.darkroom.queue import Queue
from safelight.darkroom.readers import Readers
from safelight.darkroom.worker import Died, Gone, StartFailed, Starved, Worker
from safelight.formats import HEAD_BYTES, Format, recognise
from safelight.inspection.limits import DecodeLimits
from safelight.photo import ImageFacts, Preset
from safelight.settings import LimitSettings

__all__ = ["Darkroom", "Development", "Exposure", "Inspection"]

_JOBS: Final = 200
_IDLE: Final = timedelta(seconds=60)
_GRACE: Final = timedelta(seconds=1)
"""What the clock on the wall allows beyond a decode's CPU time."""

_TRAY_BYTES: Final = 32 << 20
"""For all renditions of one request: some 2 MB each come of a photo full of detail."""

_Answer = TypeVar("_Answer")
_log = logging.getLogger(__name__)


class Darkroom:
    """Decodes pictures in child processes that can do no harm.

    `children` decode at once; None: as many as cores and memory allow, and on so few cores that
    none is left, one less while many read, as `readers` is told. Belongs to one event loop.
    `drill` is for tests: it gives the children a duty in which they misbehave at a word.
    """

    def __init__(
        self, limits: LimitSettings, *, children: int | None = None, drill: bool = False
    ) -> None:
        capacity = Capacity.here(limits.decode_memory)
        self.limits = DecodeLimits(
            max_pixels=limits.max_pixels,
            max_frames=limits.max_frames,
            max_total_pixels=limits.max_total_pixels,
            cpu_seconds=limits.decode_seconds.total_seconds(),
            address_space=capacity.address_space,
        )
        self._deadline = limits.decode_seconds + _GRACE
        self.readers = Readers()
        places = children or capacity.children
        fewer = min(places, capacity.beside_readers)
        self.queue = Queue(
            servers=places,
            max_waiting=limits.max_waiting,
            at_once=lambda: fewer if self.readers.many() else places,
        )
        self.deaths = 0
        """How many children a picture brought down, or that gave no sound answer."""
        self._drill = drill
        self._closed = False
        self._workers: set[Worker] = set()
        self._idle: list[tuple[Worker, asyncio.TimerHandle]] = []
        self._endings: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start the first child, to find out at once if that can't be. Raises EngineError."""
        try:
            self._keep(await self._hire())
        except StartFailed as error:
            raise errors.EngineError(f"The photo decoder can't be started: {error}") from error

    async def close(self) -> None:
        """End all children. A job under way gets Busy; so does every later one."""
        self._closed = True
        for worker in tuple(self._workers):
            self._dismiss(worker)
        await asyncio.gather(*self._endings)

    async def inspect(self, file: BinaryIO | int, *, digest: bool = False) -> Inspection:
        """Decode the picture in an open file to its last line, and tell what it is.

        `file` is a file on disk (or its descriptor), whole and flushed; where it stands doesn't
        matter, and it is not moved. Nobody may change it meanwhile. With `digest`, its SHA-256
        comes too. Raises EmptyFile, UnsupportedType, CorruptImage (also for a picture that takes
        too long or brings its process down), TooManyPixels, TooManyFrames; Busy when too many
        are waiting, or no process can be had.
        """
        descriptor = file if isinstance(file, int) else file.fileno()
        form = _recognise(descriptor)
        with _read_only(descriptor) as photo:
            return await self._ask(
                messages.ask_to_inspect(form, digest=digest),
                [photo],
                lambda answer: messages.read_inspection(answer, form, self.limits),
            )

    async def develop(
        self, file: BinaryIO | int, facts: ImageFacts, presets: Sequence[Preset]
    ) -> Development:
        """Make renditions of a picture that was inspected, and sketch it.

        `file` as for `inspect`, `facts` as it found them. A rendition that would be unreasonably
        large is left out. Raises CorruptImage, as `inspect` does, or Busy.
        """
        descriptor = file if isinstance(file, int) else file.fileno()
        with _read_only(descriptor) as photo, _tray() as (tray, contents):
            return await self._ask(
                messages.ask_to_develop(facts, presets),
                [photo, tray],
                lambda answer: messages.read_development(answer, presets, contents),
            )

    async def _ask(
        self, request: bytes, descriptors: Sequence[int], read: Callable[[bytes], _Answer]
    ) -> _Answer:
        """Wait for a turn, then have a child answer, and `read` what it says."""
        async with self.queue.turn():
            try:
                return await self._ask_twice(request, descriptors, read)
            except (Died, BadAnswer) as failure:
                if self._closed:
                    raise errors.Busy from failure
                self.deaths += 1
                _log.warning("a picture was refused since its decoder failed: %s", failure)
                raise errors.CorruptImage(_public(failure)) from failure
            except (StartFailed, Gone) as failure:
                _log.error("no process can be had to decode pictures: %s", failure)
                raise errors.Busy from failure
            except Starved as failure:
                _log.warning("a picture was given up: other processes took its decoder's time")
                raise errors.Busy from failure

    async def _ask_twice(
        self, request: bytes, descriptors: Sequence[int], read: Callable[[bytes], _Answer]
    ) -> _Answer:
        """Ask another child once more if somebody else ended the first: no picture's fault."""
        try:
            return await self._ask_once(request, descriptors, read)
        except Gone:
            pass
        except Died as failure:
            # A picture brings its child down by other signals; this one an operator sends, or the
            # kernel when memory is short. A second time, the picture is suspected all the same.
            if failure.status != -signal.SIGKILL:
                raise
        return await self._ask_once(request, descriptors, read)

    async def _ask_once(
        self, request: bytes, descriptors: Sequence[int], read: Callable[[bytes], _Answer]
    ) -> _Answer:
        worker = await self._take()
        try:
            answer = await worker.ask(request, descriptors, self._deadline)
            result = read(answer)
        except errors.Invalid:
            self._keep(worker)
            raise
        except BaseException:  # Cancelled as well: it still decodes a picture nobody waits for.
            self._dismiss(worker)
            raise
        self._keep(worker)
        return result

    async def _take(self) -> Worker:
        """Get a child that lives: an idle one, or a new one. Raises StartFailed."""
        if self._closed:
            raise errors.Busy
        while self._idle:
            worker, timer = self._idle.pop()
            timer.cancel()
            if worker.alive:
                return worker
            self._dismiss(worker)
        return await self._hire()

    async def _hire(self) -> Worker:
        worker = await Worker.start(self.limits, drill=self._drill)
        self._workers.add(worker)
        if self._closed:
            self._dismiss(worker)
            await worker.wait()
            raise errors.Busy
        if not worker.confined:
            _log.warning("this system has no filter for system calls: the decoder runs without")
        return worker

    def _keep(self, worker: Worker) -> None:
        """Have the child wait for the next job, but not for ever."""
        if self._closed or worker.jobs >= _JOBS:
            self._dismiss(worker)
            return
        timer = asyncio.get_running_loop().call_later(_IDLE.total_seconds(), self._let_go, worker)
        self._idle.append((worker, timer))

    def _let_go(self, worker: Worker) -> None:
        """End a child that has been idle for too long."""
        self._idle = [(idle, timer) for idle, timer in self._idle if idle is not worker]
        self._dismiss(worker)

    def _dismiss(self, worker: Worker) -> None:
        if worker not in self._workers:
            return
        self._workers.discard(worker)
        worker.kill()
        ending = asyncio.get_running_loop().create_task(worker.wait())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)


def _public(failure: Died | BadAnswer) -> str | None:
    late = isinstance(failure, Died) and failure.late
    return "The photo can't be taken: it takes too long to decode." if late else None


def _recognise(descriptor: int) -> Format:
    head = os.pread(descriptor, HEAD_BYTES, 0)
    if not head:
        raise errors.EmptyFile
    if not (form := recognise(head)):
        raise errors.UnsupportedType
    return form


@contextmanager
def _read_only(descriptor: int) -> Iterator[int]:
    """Open the same file anew, so that a child can neither write to it nor move our place in it."""
    try:
        photo = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:  # Too many files are open.
        raise errors.Busy from error
    try:
        yield photo
    finally:
        os.close(photo)


@contextmanager
def _tray() -> Iterator[tuple[int, mmap.mmap]]:
    """Give memory for a child to lay renditions down in, which it can make no larger."""
    try:
        tray = os.memfd_create("tray", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError as error:  # Too many files are open.
        raise errors.Busy from error
    try:
        os.ftruncate(tray, _TRAY_BYTES)
        fcntl.fcntl(tray, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        with mmap.mmap(tray, _TRAY_BYTES, prot=mmap.PROT_READ) as contents:
            yield tray, contents
    finally:
        os.close(tray)

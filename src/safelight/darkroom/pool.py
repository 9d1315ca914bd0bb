"""The pool of decoder processes, with a queue of limited length in front of it."""

import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import BinaryIO, Final, Generic, TypeVar

from prometheus_client import Counter, Histogram

from safelight import errors
from safelight.darkroom import protocol
from safelight.darkroom.admission import AdmissionQueue, ReadLoad, Ticket
from safelight.darkroom.capacity import Capacity
from safelight.darkroom.channel import DecoderStartFailed
from safelight.darkroom.decoders import Decoders
from safelight.darkroom.descriptors import open_read_only, shared_memory
from safelight.darkroom.process import (
    DecoderDied,
    DecoderGone,
    DecoderStarved,
)
from safelight.darkroom.protocol import (
    Allowance,
    Inspection,
    ProtocolError,
    RenderedImage,
    RenderResult,
)
from safelight.darkroom.template import PROGRAM
from safelight.imaging.formats import (
    FORMATS,
    HEAD_BYTES,
    JPEG,
    Format,
    detect_format,
)
from safelight.imaging.headers import other_formats
from safelight.imaging.limits import DecodeLimits
from safelight.metrics import LONG_SECONDS
from safelight.models import ImageFacts, Preset
from safelight.settings import LimitSettings
from safelight.tracing import span

__all__ = ["Darkroom", "Inspection", "RenderResult", "RenderedImage"]

_GRACE: Final = timedelta(seconds=1)
"""How much longer than its CPU time a decode may take on the clock."""

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Darkroom:
    """Decodes images in confined child processes.

    `children` images are decoded at once; by default as many as cores and memory allow. While many
    clients read, a processor is left to them if there is more than one. With `require_confinement`,
    none starts that can't be confined completely. Belongs to one event loop.
    Tests run another `program`, which misbehaves on request.
    """

    def __init__(
        self,
        limits: LimitSettings,
        *,
        children: int | None = None,
        require_confinement: bool = False,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        capacity = Capacity.detect(limits.decode_memory)
        self.limits = DecodeLimits(
            max_pixels=limits.max_pixels,
            max_frames=limits.max_frames,
            max_total_pixels=limits.max_total_pixels,
            cpu_seconds=limits.decode_seconds.total_seconds(),
            address_space=capacity.usual_space,
            max_address_space=capacity.max_space,
            max_memory=capacity.max_memory,
        )
        self._deadline = limits.decode_seconds + _GRACE
        servers = children or capacity.children
        usual = capacity.usual_space
        self.read_load = ReadLoad(
            decoders=servers, under_load=min(servers, capacity.children_under_load)
        )
        self.decoders = Decoders(self.limits, program, must_be_confined=require_confinement)
        self.queue = AdmissionQueue(
            servers=servers,
            max_waiting=limits.max_waiting,
            extra=capacity.extra,
            memory=max(capacity.memory, (servers + capacity.extra) * usual),
            at_once=self.read_load.allowed_decoders,
            preferred=self.decoders.turns,
        )
        self.deaths = Counter(
            "safelight_darkroom_deaths", "Decoder processes killed by an image.", registry=None
        )
        self.wait_seconds = Histogram(
            "safelight_darkroom_wait_seconds",
            "Time waiting for a decoder.",
            buckets=LONG_SECONDS,
            registry=None,
        )
        self.work_seconds = Histogram(
            "safelight_darkroom_work_seconds",
            "Time decoding an image.",
            buckets=LONG_SECONDS,
            registry=None,
        )

    async def start(self) -> None:
        """Start the first process, to find out early if that fails. Raises EngineError."""
        try:
            await self.decoders.check(self._deadline)
        except DecoderStartFailed as error:
            raise errors.EngineError(f"The photo decoder can't be started: {error}") from error

    async def close(self) -> None:
        """End all processes. Jobs in progress, and all later ones, get Busy."""
        await self.decoders.close()

    async def inspect(self, file: BinaryIO | int, *, owner: str) -> Inspection:
        """Decode the image in an open file completely, and return its facts.

        `file` is a complete, flushed file on disk, or its descriptor; its position is neither used
        nor changed. The file must not be changed meanwhile. Raises EmptyFile, UnsupportedType,
        CorruptImage (also for an image that takes too long or kills its process), TooManyPixels,
        TooManyFrames; Busy when too many are waiting, or no process can be started.
        """
        descriptor = file if isinstance(file, int) else file.fileno()
        head = os.pread(descriptor, HEAD_BYTES, 0)
        if not head:
            raise errors.EmptyFile
        format_ = detect_format(head)
        if format_ is None:
            head = os.pread(descriptor, other_formats.HEAD_BYTES, 0)
            raise errors.UnsupportedType(other_formats.describe_other(head))
        request = protocol.encode_inspect(format_)
        with open_read_only(descriptor) as photo:
            return await self._run(
                request,
                [photo],
                partial(protocol.decode_inspection, format_=format_, limits=self.limits),
                owner=owner,
                format_=format_,
            )

    async def render(
        self, file: BinaryIO | int, facts: ImageFacts, presets: Sequence[Preset], *, owner: str
    ) -> RenderResult:
        """Render an inspected image by presets, and compute its thumbhash.

        `file` as for `inspect`, `facts` as it returned them. A rendition that would be unreasonably
        large is left out. Raises CorruptImage, as `inspect` does, or Busy.
        """
        descriptor = file if isinstance(file, int) else file.fileno()
        with open_read_only(descriptor) as photo, shared_memory() as (output, contents):
            return await self._run(
                protocol.encode_render(facts, presets),
                [photo, output],
                partial(protocol.decode_render, presets=presets, output=contents),
                owner=owner,
                format_=FORMATS[facts.format],
            )

    async def _run(
        self,
        request: bytes,
        descriptors: Sequence[int],
        decode: Callable[[bytes], _T],
        *,
        owner: str,
        format_: Format = JPEG,
    ) -> _T:
        """Wait for a slot, send the request, and return the decoded answer.

        A large photo waits a second time, for what its decoder found that it needs.
        """
        self.queue.require_room(owner)
        job = _Job(request, descriptors, decode, owner, format_)
        try:
            return await self._run_job(job)
        except protocol.NeedsAllowance as large:
            # Back into the queue: for memory, and for a slot of those that take long.
            return await self._run_job(replace(job, allowance=large.allowance))

    async def _run_job(self, job: "_Job[_T]") -> _T:
        allowance = job.allowance
        with span("darkroom wait"), self.wait_seconds.time():
            ticket = await self.queue.wait(
                job.owner,
                expensive=allowance is not None,
                memory=allowance.memory if allowance else self.limits.address_space,
            )
        started_at = time.monotonic()
        try:
            with span("darkroom work"), self.work_seconds.time():
                return await self._call(job, ticket)
        except (DecoderDied, ProtocolError) as failure:
            if self.decoders.is_closed:
                raise errors.Busy from failure
            self.deaths.inc()
            _log.warning("an image was refused because its decoder failed: %s", failure)
            late = isinstance(failure, DecoderDied) and failure.late
            message = "This photo takes too long to decode." if late else None
            raise errors.CorruptImage(message) from failure
        except (DecoderStartFailed, DecoderGone) as failure:
            _log.error("no decoder process can be started: %s", failure)
            raise errors.Busy from failure
        except DecoderStarved as failure:
            _log.warning("an image was abandoned: other processes took its decoder's CPU time")
            raise errors.Busy from failure
        finally:
            self.queue.leave(ticket, time.monotonic() - started_at)

    async def _call(self, job: "_Job[_T]", ticket: Ticket) -> _T:
        """Call a decoder, and a second one if the first ended for a reason outside the image."""
        retried = False
        while True:
            decoder = await self.decoders.take(
                ticket,
                may_stay=self._idle_decoders_allowed(),
                threads=job.format_.needs_thread,
                allowance=job.allowance,
            )
            try:
                answer = await decoder.call(job.request, job.descriptors, self._limit(job))
                result = self._decode(answer, job)
            except (errors.Invalid, protocol.NeedsAllowance):
                self.decoders.keep(decoder)
                raise
            except DecoderGone:
                self.decoders.dismiss(decoder)
                if retried:
                    raise
            except DecoderDied as failure:
                self.decoders.dismiss(decoder)
                # Images kill a decoder by other signals; this one is sent by an operator, or by
                # the kernel when memory is short, to it or to its template. The second time, the
                # image is suspected.
                killed = not failure.late and failure.status in {-signal.SIGKILL, None}
                if retried or not killed:
                    if not failure.late:
                        self.decoders.retire_template()
                    raise
            except BaseException:  # when cancelled too: it still decodes an image for no client
                self.decoders.dismiss(decoder)
                raise
            else:
                self.decoders.keep(decoder)
                return result
            retried = True

    def _limit(self, job: "_Job[_T]") -> timedelta:
        """Return how long a job may take on the clock."""
        allowance = job.allowance
        return timedelta(seconds=allowance.seconds) + _GRACE if allowance else self._deadline

    def _idle_decoders_allowed(self) -> int:
        """Return how many idle decoders there are slots and memory for, beside those at work."""
        by_memory = self.queue.free_memory // self.limits.address_space
        return max(0, min(self.queue.servers - self.queue.working, by_memory))

    def _decode(self, answer: bytes, job: "_Job[_T]") -> _T:
        """Decode an answer. Raises what `job.decode` does; NeedsAllowance once, within limits."""
        try:
            return job.decode(answer)
        except protocol.NeedsAllowance as large:
            allowance, limits = large.allowance, self.limits
            if (
                job.allowance
                or allowance.memory > limits.max_memory
                or allowance.space > limits.max_address_space
                or allowance.seconds > limits.seconds_for(limits.max_pixels)
            ):
                raise ProtocolError from large
            raise


@dataclass(frozen=True, slots=True)
class _Job(Generic[_T]):
    request: bytes
    descriptors: Sequence[int]
    decode: Callable[[bytes], _T]
    owner: str
    format_: Format
    allowance: Allowance | None = None

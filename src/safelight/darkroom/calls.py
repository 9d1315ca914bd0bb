"""Calls of decoder processes: in turn, within limits, repeated, with translated errors."""

import logging
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

from prometheus_client import Counter, Histogram

from safelight import errors
from safelight.darkroom import protocol
from safelight.darkroom.admission import AdmissionQueue
from safelight.darkroom.capacity import Capacity, ReadLoad
from safelight.darkroom.channel import DecoderStartFailed
from safelight.darkroom.decoders import Decoders
from safelight.darkroom.process import (
    DecoderDied,
    DecoderGone,
    DecoderProcess,
    DecoderStarved,
)
from safelight.darkroom.protocol import (
    Allowance,
    ProtocolError,
)
from safelight.darkroom.template import PROGRAM
from safelight.darkroom.ticket import Ticket
from safelight.imaging.formats import (
    JPEG,
    Format,
)
from safelight.imaging.limits import DecodeLimits
from safelight.metrics import LONG_SECONDS
from safelight.settings import LimitSettings
from safelight.tracing import in_background, span

_GRACE: Final = timedelta(seconds=1)
"""How much longer than its CPU time a decode may take on the clock."""

_T = TypeVar("_T")
Call = Callable[[bytes, Sequence[int]], Awaitable[bytes]]
"""Sends a request with its descriptors to a decoder, and returns the answer."""


class NextStep(Protocol[_T]):
    """Continues with the answer to a first request, of a photo that is large or not."""

    async def __call__(self, answer: _T, call: Call, *, is_large: bool) -> _T:
        """Return the answer of all steps together."""


_log = logging.getLogger(__name__)


class DecoderCalls:
    """What all calls of a darkroom have in common: its queue, its decoders and its metrics."""

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
            done_in_turn=self.decoders.done_in_turn,
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

    async def _run(
        self,
        request: bytes,
        descriptors: Sequence[int],
        decode: Callable[[bytes], _T],
        *,
        owner: str,
        format_: Format = JPEG,
        next_step: "NextStep[_T] | None" = None,
    ) -> _T:
        """Wait for a slot, send the request, and return the decoded answer.

        The same decoder then takes the `next_step`, if any, which returns the answer instead.
        A large photo waits a second time, for what its decoder found that it needs, and one that
        has given way waits again.
        """
        background = in_background.get()
        if not background:
            self.queue.require_room(owner)
        job = _Job(request, descriptors, decode, owner, format_, background, next_step)
        while True:
            allowance = job.allowance
            with span("darkroom wait"), self.wait_seconds.time():
                ticket = await self.queue.wait(
                    owner,
                    expensive=allowance is not None,
                    memory=allowance.memory if allowance else self.limits.address_space,
                    background=background,
                )
            started_at = time.monotonic()
            try:
                with span("darkroom work"), self.work_seconds.time():
                    return await self._call(job, ticket)
            except protocol.NeedsAllowance as large:
                # Back into the queue: for memory, and for a slot of those that take long.
                job = replace(job, allowance=large.allowance)
            except (DecoderDied, DecoderGone, ProtocolError) as failure:
                if not ticket.has_given_way:
                    raise self._refusal(failure) from failure
                _log.info("an image in the background has given way to one of a client")
            except DecoderStartFailed as failure:
                raise _not_started(failure) from failure
            except DecoderStarved as failure:
                _log.warning("an image was abandoned: other processes took its decoder's CPU time")
                raise errors.Busy from failure
            finally:
                self.queue.leave(ticket, time.monotonic() - started_at)

    def _refusal(self, failure: DecoderDied | DecoderGone | ProtocolError) -> errors.SafelightError:
        """Log that a decoder failed, and return the error to raise."""
        if isinstance(failure, DecoderGone):
            return _not_started(failure)
        if self.decoders.is_closed:
            return errors.Busy()
        self.deaths.inc()
        _log.warning("an image was refused because its decoder failed: %s", failure)
        late = isinstance(failure, DecoderDied) and failure.late
        return errors.CorruptImage("This photo takes too long to decode." if late else None)

    async def _call(self, job: "_Job[_T]", ticket: Ticket) -> _T:
        """Call a decoder, and a second one if the first ended for a reason outside the image.

        Raises DecoderGone if the work has to give way before that.
        """
        retried = False
        while not ticket.has_given_way:
            threads, allowance = job.format_.needs_thread, job.allowance
            decoder = self.decoders.take(
                ticket, threads=threads, allowance=allowance
            ) or await self.decoders.start_for(
                ticket,
                may_stay=self.queue.free_slots(background=job.background),
                memory_for=max(0, self.queue.free_memory) // self.limits.address_space,
                threads=threads,
                allowance=allowance,
            )
            ticket.give_way = decoder.kill
            try:
                result = await self._work(job, decoder)
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
        raise DecoderGone

    async def _work(self, job: "_Job[_T]", decoder: DecoderProcess) -> _T:
        """Do all steps of a job with one decoder.

        Raises what `job.decode` does; NeedsAllowance once, within limits.
        """
        allowance = job.allowance
        within = timedelta(seconds=allowance.seconds) + _GRACE if allowance else self._deadline
        call = partial(decoder.call, within=within)
        answer = await call(job.request, job.descriptors)
        try:
            result = job.decode(answer)
        except protocol.NeedsAllowance as large:
            needed, limits = large.allowance, self.limits
            if (
                allowance
                or needed.memory > limits.max_memory
                or needed.space > limits.max_address_space
                or needed.seconds > limits.seconds_for(limits.max_pixels)
            ):
                raise ProtocolError from large
            raise
        if job.next_step is None:
            return result
        try:
            return await job.next_step(result, call, is_large=allowance is not None)
        except protocol.NeedsAllowance as large:  # It has one.
            raise ProtocolError from large


def _not_started(failure: Exception) -> errors.Busy:
    _log.error("no decoder process can be started: %s", failure)
    return errors.Busy()


@dataclass(frozen=True, slots=True)
class _Job(Generic[_T]):
    request: bytes
    descriptors: Sequence[int]
    decode: Callable[[bytes], _T]
    owner: str
    format_: Format
    background: bool
    next_step: NextStep[_T] | None = None
    allowance: Allowance | None = None

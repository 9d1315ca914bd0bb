"""The decoder processes of a darkroom: start, keep and end them.

A decoder sees the images of one owner only: one that an image has taken over can't put them into
another owner's renditions. It is forked from a template, which has loaded the libraries and has
read no image, when an owner needs it. It runs at normal priority if clients wait for it, and at a
low one in the background; it is never changed from one kind into the other. It ends when another
owner needs its place, after `_JOBS` jobs, or after `_IDLE` without one, and is killed when an image
makes it fail. The template is started when it is needed (about half a second), and ends when no
decoder has been left for `_IDLE`. It is replaced when it dies, and when an image has crashed a
decoder: its next try would find the same layout of memory.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from safelight import errors
from safelight.darkroom import protocol
from safelight.darkroom.channel import DecoderStartFailed
from safelight.darkroom.process import (
    DecoderDied,
    DecoderGone,
    DecoderProcess,
    DecoderStarved,
)
from safelight.darkroom.template import DecoderTemplate
from safelight.darkroom.ticket import Lane, Ticket
from safelight.imaging.formats import FORMATS
from safelight.imaging.limits import DecodeLimits

_JOBS: Final = 200
_IDLE: Final = timedelta(seconds=60)

_log = logging.getLogger(__name__)


class Decoders:
    """All decoders that are `running`, and those of them that are `idle`, with their timers."""

    def __init__(
        self, limits: DecodeLimits, program: Sequence[str], *, must_be_confined: bool
    ) -> None:
        self._limits = limits
        self._must_be_confined = must_be_confined
        self.gaps: Sequence[str] = ()
        """What the confinement of decoders lacks on this machine."""
        self._program = program
        self._starting = asyncio.Lock()
        self.is_closed = False
        self.template: DecoderTemplate | None = None
        self.running: set[DecoderProcess] = set()
        self.idle: list[tuple[DecoderProcess, asyncio.TimerHandle]] = []
        self.endings: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """End all processes, and start no more: `take` and `start` then raise Busy."""
        self.is_closed = True
        for decoder in tuple(self.running):
            self.dismiss(decoder)
        await asyncio.gather(*self.endings)
        if self.template:
            await self.template.close()

    def take(
        self, ticket: Ticket, *, threads: bool, allowance: protocol.Allowance | None = None
    ) -> DecoderProcess | None:
        """Return an idle decoder of the owner, or else of no owner yet; None if none is alive.

        It may start `threads` or not. There is none with an `allowance`. Raises Busy after `close`.
        """
        if self.is_closed:
            raise errors.Busy
        if allowance:
            return None
        wanted = threads, ticket.background
        for owner in (ticket.owner, None):
            for decoder, timer in tuple(self.idle):
                if (decoder.threads, decoder.background) != wanted or decoder.owner != owner:
                    continue
                self.idle.remove((decoder, timer))
                timer.cancel()
                if decoder.is_alive:
                    decoder.owner = ticket.owner
                    decoder.turn = decoder.turn + 1 if ticket.continues else 1
                    return decoder
                self.dismiss(decoder)
        return None

    async def start_for(
        self,
        ticket: Ticket,
        *,
        may_stay: int,
        memory_for: int,
        threads: bool,
        allowance: protocol.Allowance | None = None,
    ) -> DecoderProcess:
        """Start a decoder for an owner's job, perhaps with an `allowance`.

        Before that, the idle ones used longest ago are ended: at most `may_stay` of the same
        priority stay, and as many in all as there is `memory_for`. Raises DecoderStartFailed.
        """
        self._end_idle(may_stay, memory_for, background=ticket.background)
        decoder = await self.start(
            threads=threads, background=ticket.background, allowance=allowance
        )
        decoder.owner = ticket.owner
        decoder.turn = decoder.turn + 1 if ticket.continues else 1
        return decoder

    def _end_idle(self, may_stay: int, memory_for: int, *, background: bool) -> None:
        """End idle decoders until no more are left than may stay."""
        same = [decoder for decoder, _ in self.idle if decoder.background == background]
        ended = same[: max(0, len(same) - may_stay)]
        others = [decoder for decoder, _ in self.idle if decoder not in ended]
        ended += others[: max(0, len(others) - memory_for)]
        for decoder, timer in tuple(self.idle):
            if decoder in ended:
                timer.cancel()
                self._dismiss_idle(decoder)

    def done_in_turn(self, lane: Lane) -> int | None:
        """Return how many jobs the lane's idle decoder has done in a row; None without one."""
        for decoder, _ in reversed(self.idle):
            if (decoder.background, decoder.owner) == lane:
                return decoder.turn
        return None

    async def start(
        self,
        *,
        threads: bool,
        background: bool = False,
        allowance: protocol.Allowance | None = None,
    ) -> DecoderProcess:
        """Start a decoder of no owner yet. Raises DecoderStartFailed."""
        template = await self._usable_template()
        try:
            decoder = await template.fork(
                threads=threads, background=background, allowance=allowance
            )
        except DecoderStartFailed:
            if template.is_usable:
                raise
            template = await self._usable_template()
            decoder = await template.fork(
                threads=threads, background=background, allowance=allowance
            )
        self.running.add(decoder)
        if self.is_closed:
            self.dismiss(decoder)
            await decoder.wait()
            raise errors.Busy
        if decoder.gaps and self._must_be_confined:
            self.dismiss(decoder)
            raise DecoderStartFailed(f"it can't be confined: {', '.join(decoder.gaps)}")
        if decoder.gaps and not self.gaps:
            self.gaps = decoder.gaps
            _log.warning("decoders can't be confined completely: %s", ", ".join(decoder.gaps))
        return decoder

    async def check(self, within: timedelta) -> None:
        """Have decoders decode a sample of each format. Raises DecoderStartFailed.

        Their confinement may be too strict for the libraries of this system.
        """
        for threads in (True, False):  # The one that most photos need is kept.
            decoder = await self.start(threads=threads)
            formats = [form.name for form in FORMATS.values() if form.needs_thread == threads]
            try:
                answer = await decoder.call(protocol.encode_check(formats), [], within)
                failed = protocol.decode_check(answer)
            except (DecoderGone, DecoderDied, DecoderStarved, protocol.ProtocolError) as error:
                raise DecoderStartFailed(f"it fails when it is confined: {error}") from error
            finally:
                if threads:
                    self.dismiss(decoder)
            if failed:
                raise DecoderStartFailed(f"confined, it can't decode {', '.join(failed)}")
        self.keep(decoder)

    async def _usable_template(self) -> DecoderTemplate:
        """Return the template, or start one. Raises DecoderStartFailed."""
        async with self._starting:
            if self.template is None or not self.template.is_usable:
                self.template = await DecoderTemplate.start(self._limits, program=self._program)
            if self.is_closed:
                await self.template.close()
                raise errors.Busy
            return self.template

    def keep(self, decoder: DecoderProcess) -> None:
        """Keep the process for the next job, for a limited time."""
        if self.is_closed or decoder.jobs >= _JOBS or decoder.allowance:
            self.dismiss(decoder)
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(_IDLE.total_seconds(), self._dismiss_idle, decoder)
        self.idle.append((decoder, timer))

    def _dismiss_idle(self, decoder: DecoderProcess) -> None:
        """End a process that has been idle for too long."""
        self.idle = [(idle, timer) for idle, timer in self.idle if idle is not decoder]
        self.dismiss(decoder)

    def dismiss(self, decoder: DecoderProcess) -> None:
        """End a process."""
        if decoder not in self.running:
            return
        self.running.discard(decoder)
        decoder.kill()
        loop = asyncio.get_running_loop()
        ending = loop.create_task(decoder.wait())
        self.endings.add(ending)
        ending.add_done_callback(self.endings.discard)
        if not self.running and not self.is_closed:
            loop.call_later(_IDLE.total_seconds(), self._retire_unused)

    def _retire_unused(self) -> None:
        """End the template if there is no decoder."""
        if self.template and not self.running:
            self.template.retire()

    def retire_template(self) -> None:
        """Fork later decoders from another template, with another layout of memory."""
        if self.template:
            self.template.retire()

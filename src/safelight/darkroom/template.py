"""The server's end of the template: the process that decoders are forked from."""

import asyncio
import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Final, Self

from safelight.darkroom import protocol, template_messages
from safelight.darkroom.channel import DecoderStartFailed, receive_ready
from safelight.darkroom.process import DecoderProcess, receive_message
from safelight.imaging.limits import DecodeLimits

PROGRAM: Final = ("-m", "safelight.darkroom.child")
"""Arguments for Python that run the template."""

_ENVIRONMENT: Final = {
    "LC_ALL": "C.UTF-8",
    "TMPDIR": "/nonexistent",
    "VIPS_CONCURRENCY": "1",
    "VIPS_MAX_THREADS": "4",  # They are started at once: later, decoders can start none.
    "VIPS_DISC_THRESHOLD": "1000g",  # Never use a temporary file: memory is limited instead.
    "MALLOC_ARENA_MAX": "1",  # An arena takes 64 MiB of the address space.
}
_INHERITED: Final = ("LD_LIBRARY_PATH",)  # Some Pythons don't start without it.


class DecoderTemplate:
    """A process that has loaded all that decoders need, and has read no photo.

    Decoders are its children, and end with it. Once retired, it forks no more, and ends when the
    last of them has ended.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], channel: socket.socket, limits: DecodeLimits
    ) -> None:
        self._process = process
        self._channel = channel
        self._limits = limits
        self._numbers = itertools.count(1)
        self._decoders: dict[int, DecoderProcess] = {}
        self._is_retired = False

    @classmethod
    async def start(cls, limits: DecodeLimits, *, program: Sequence[str] = PROGRAM) -> Self:
        """Start a template and wait until it is ready. Raises DecoderStartFailed.

        Call it in the thread of the event loop: it dies with the thread that started it.
        """
        try:
            template = cls(*_spawn(limits, program), limits)
        except OSError as error:
            raise DecoderStartFailed(str(error)) from error
        try:
            await receive_ready(template._channel)
        except BaseException:
            await asyncio.shield(template.close())
            raise
        asyncio.get_running_loop().add_reader(template._channel, template._receive)
        return template

    @property
    def is_usable(self) -> bool:
        """Whether it runs, as far as is known, and has not been retired."""
        return not self._is_retired and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the template."""
        return self._process.pid

    async def fork(
        self, *, threads: bool, background: bool, allowance: protocol.Allowance | None = None
    ) -> DecoderProcess:
        """Fork a decoder and wait until it is ready. Raises DecoderStartFailed.

        It may start `threads` or not, has a low priority in the `background`, and an allowance if
        it is for a large photo.
        """
        number = next(self._numbers)
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise DecoderStartFailed(str(error)) from error
        ours.settimeout(0)
        decoder = DecoderProcess(
            ours,
            threads=threads,
            background=background,
            cpu_seconds=allowance.seconds if allowance else self._limits.cpu_seconds,
            allowance=allowance,
            kill=lambda: self._send(template_messages.encode_kill(number)),
            give_up=self._end,
        )
        self._decoders[number] = decoder
        with theirs:
            request = template_messages.encode_fork(
                number, threads=threads, background=background, allowance=allowance
            )
            self._send(request, theirs.fileno())
        try:
            await decoder.wait_until_ready()
        except BaseException:
            decoder.kill()
            await asyncio.shield(decoder.wait())
            raise
        return decoder

    def retire(self) -> None:
        """Fork no more, and end when no decoder is left."""
        self._is_retired = True
        if not self._decoders:
            self._end()

    async def close(self) -> None:
        """Kill the template, and with it its decoders."""
        self._end()
        await asyncio.to_thread(self._process.wait)

    def _send(self, message: bytes, *descriptors: int) -> None:
        try:
            socket.send_fds(self._channel, [message], descriptors)
        except OSError:  # It has died, or is stuck: no more than a few messages are ever unread.
            self._end()

    def _receive(self) -> None:
        """Read one message: that a decoder has ended. Its own end shows as an empty one."""
        message = receive_message(self._channel)
        if message is None:
            return
        try:
            ended = template_messages.decode_ended(message)
        except protocol.ProtocolError:
            self._end()
            return
        decoder = self._decoders.pop(ended.ended, None)
        if decoder:
            decoder.mark_ended(ended.status)
        if self._is_retired:
            self.retire()

    def _end(self) -> None:
        """Kill it. The kernel then kills its decoders, whose statuses remain unknown."""
        self._is_retired = True
        if self._channel.fileno() >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._channel)
            self._channel.close()
            loop.run_in_executor(None, self._process.wait)
        self._process.kill()
        for decoder in self._decoders.values():
            decoder.mark_ended(None)
        self._decoders.clear()


def _spawn(
    limits: DecodeLimits, program: Sequence[str]
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        ours.settimeout(0)
        try:
            process = subprocess.Popen(  # noqa: S603, our own program with our own arguments
                [sys.executable, "-I", *program, protocol.encode_limits(limits)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_ENVIRONMENT | {k: os.environ[k] for k in _INHERITED if k in os.environ},
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
    return process, ours

"""The server's end of one child: start it, ask it one thing at a time, kill it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final, Self

from safelight.darkroom import messages
from safelight.darkroom.proc import processor_time, wants_to_run
from safelight.inspection.limits import DecodeLimits

_START_SECONDS: Final = 9.0
"""Short of the ten seconds in which an upload has to be answered."""

_ENVIRONMENT: Final = {
    "LC_ALL": "C.UTF-8",
    "TMPDIR": "/nonexistent",
    "VIPS_CONCURRENCY": "1",
    "VIPS_DISC_THRESHOLD": "1000g",  # Never a temporary file: memory is limited instead.
    "MALLOC_ARENA_MAX": "1",  # An arena takes 64 MiB of the address space.
}
_INHERITED: Final = ("LD_LIBRARY_PATH",)  # Some Pythons need it to start at all.


class StartFailed(Exception):
    """A child can't be started, which is no picture's fault."""


class Gone(Exception):
    """The child was dead before it took the request, which is no picture's fault."""


class Starved(Exception):
    """The child was given less processor time than it may have, which is no picture's fault."""


class Died(Exception):
    """The child died while it had the request. `late`: since its time was up.

    `status` is its exit status, minus the signal that ended it; None if it had to be killed.
    """

    def __init__(self, *, late: bool, status: int | None = None) -> None:
        super().__init__("it took too long" if late else f"it ended with status {status}")
        self.late = late
        self.status = status


class Worker:
    """One child process and our end of its socket. Not for two requests at a time.

    After any exception from `ask`, cancellation included, its state is unknown: `kill` it.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], channel: socket.socket, *, cpu_seconds: float
    ) -> None:
        self._process = process
        self._channel = channel
        self._cpu_seconds = cpu_seconds
        self.confined = False
        self.jobs = 0

    @classmethod
    async def start(cls, limits: DecodeLimits, *, drill: bool = False) -> Self:
        """Start a child from nothing, and wait until it is ready. Raises StartFailed.

        Started by the event loop's own thread: the child dies with the thread that started it.
        """
        try:
            worker = cls(*_spawn(limits, drill=drill), cpu_seconds=limits.cpu_seconds)
        except OSError as error:
            raise StartFailed(str(error)) from error
        try:
            await worker._wait_until_ready()
        except BaseException:
            worker.kill()
            await asyncio.shield(worker.wait())
            raise
        return worker

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the child runs, as far as the kernel has told yet."""
        return self._process.poll() is None

    async def ask(self, request: bytes, descriptors: Sequence[int], within: timedelta) -> bytes:
        """Hand over a request with its descriptors, and wait for the answer.

        Raises Gone if the child never took it, Died if it didn't survive it or wasn't done in time,
        Starved if other processes took its time.
        """
        self.jobs += 1
        before = processor_time(self.pid)
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self._hand_over(request, descriptors)
                answer = await self._receive()
        except TimeoutError as late:
            if processor_time(self.pid) - before < self._cpu_seconds and wants_to_run(self.pid):
                raise Starved from late
            raise Died(late=True) from late
        if not answer:
            raise await self._post_mortem()
        return answer

    def kill(self) -> None:
        """End the child at once; `wait` for it afterwards."""
        with suppress(OSError):
            # Not closed yet: the event loop would never wake who is reading from it.
            self._channel.shutdown(socket.SHUT_RDWR)
        self._process.kill()

    async def wait(self) -> None:
        """Wait for the end of a child that was killed."""
        await asyncio.to_thread(self._process.wait)
        self._channel.close()

    async def _wait_until_ready(self) -> None:
        try:
            async with asyncio.timeout(_START_SECONDS):
                ready = messages.read_ready(await self._receive())
        except (TimeoutError, messages.BadAnswer) as error:
            raise StartFailed("it did not come up") from error
        if not ready.ready:
            raise StartFailed(ready.reason)
        self.confined = ready.confined

    async def _hand_over(self, request: bytes, descriptors: Sequence[int]) -> None:
        try:
            socket.send_fds(self._channel, [request], descriptors)
        except OSError as error:
            raise Gone from error
        if not await self._receive():
            raise Gone

    async def _post_mortem(self) -> Died:
        self.kill()  # It may have hung up and still live. To one that is dead it does nothing.
        await self.wait()
        status = self._process.returncode
        return Died(late=status == -signal.SIGXCPU, status=status)

    async def _receive(self) -> bytes:
        """Read one message; none if the child is dead."""
        with suppress(ConnectionError):
            loop = asyncio.get_running_loop()
            return await loop.sock_recv(self._channel, messages.ANSWER_BYTES)
        return b""


def _spawn(limits: DecodeLimits, *, drill: bool) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        ours.setblocking(False)  # noqa: FBT003
        command = [sys.executable, "-I", "-m", "safelight.darkroom.child"]
        command += [messages.spell_limits(limits), *(["drill"] if drill else [])]
        try:
            process = subprocess.Popen(  # noqa: S603, our own program with our own arguments
                command,
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

"""The server's end of one decoder process: call it, kill it."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from safelight.darkroom.channel import receive_ready
from safelight.darkroom.protocol import MAX_ANSWER_BYTES, Allowance

_END_SECONDS: Final = 5.0
_STRETCH: Final = 10
"""By how much a deadline may move, while other processes hold the processors."""
_UNCOUNTED: Final = 0.5
"""Seconds at the start for which the deadline doesn't move: to read what the kernel counts takes
longer than many photos."""


class DecoderGone(Exception):
    """The decoder died before it took the request. No photo is to blame."""


class DecoderStarved(Exception):
    """The decoder got less processor time than it is allowed. No photo is to blame."""


class DecoderDied(Exception):
    """The decoder died, or ran out of time, while it had the request.

    `late` is True if it ran out of time. `status` is its exit status, or minus the signal that
    ended it; None if it had to be killed, or if that is unknown because its template died, too.
    """

    def __init__(self, *, late: bool, status: int | None = None) -> None:
        super().__init__("it took too long" if late else f"it ended with status {status}")
        self.late = late
        self.status = status


class DecoderProcess:
    """One decoder and the server's end of its socket. Takes one request at a time.

    `owner` is the owner of all the photos that it has seen, None before the first; `turn` is the
    number of jobs since the queue last had a choice. It may start `threads` or not, has a low
    priority in the `background`, and an `allowance` if it is for one large photo. `kill` asks its
    template to kill it, and `give_up` is for when that has no effect. After any exception from
    `call`, cancellation included, its state is unknown: `kill` it.
    """

    def __init__(
        self,
        channel: socket.socket,
        *,
        threads: bool,
        background: bool,
        cpu_seconds: float,
        allowance: Allowance | None,
        kill: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._cpu_seconds = cpu_seconds
        self.threads = threads
        self.background = background
        self.allowance = allowance
        self._kill = kill
        self._give_up = give_up
        self._taken = False
        self._answer: asyncio.Future[bytes] | None = None
        self._ended = asyncio.Event()
        self.status: int | None = None
        self.pid = self._cpu_clock = 0
        self.gaps: tuple[str, ...] = ()
        self.jobs = 0
        self.turn = 0
        self.owner: str | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the decoder still holds its end of the connection."""
        try:
            self._channel.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # It has hung up, or sent something that was not asked for.

    async def wait_until_ready(self) -> None:
        """Wait until it can be called. Raises DecoderStartFailed."""
        ready = await receive_ready(self._channel)
        self.pid, self.gaps = ready.pid, ready.gaps
        self._cpu_clock = ~self.pid << 3 | 2  # as clock_getcpuclockid(3) computes it

    async def call(self, request: bytes, descriptors: Sequence[int], within: timedelta) -> bytes:
        """Send a request with its file descriptors, and return the answer.

        The time that it waits for a processor which other processes hold is not counted, up to
        `_STRETCH` times the limit in all. Raises DecoderGone if the child never took the request,
        DecoderDied if it died of it or missed the deadline, DecoderStarved if other processes took
        its time.
        """
        self.jobs += 1
        loop = asyncio.get_running_loop()
        self._taken, self._answer = False, loop.create_future()
        try:
            started = time.clock_gettime(self._cpu_clock)
            socket.send_fds(self._channel, [request], descriptors)
        except OSError as error:
            raise DecoderGone from error
        loop.add_reader(self._channel, self._receive)
        try:
            is_answered = await self._wait_for_answer(self._answer, within.total_seconds())
        finally:
            if self._channel.fileno() >= 0:  # Not closed since by `wait`.
                loop.remove_reader(self._channel)
        if not is_answered:
            raise DecoderStarved if self._is_starved(started) else DecoderDied(late=True)
        if answer := self._answer.result():
            return answer
        if not self._taken:
            raise DecoderGone
        self.kill()  # It may have hung up and still be alive.
        await self.wait()
        raise DecoderDied(late=self.status == -signal.SIGXCPU, status=self.status)

    async def _wait_for_answer(self, answer: asyncio.Future[bytes], within: float) -> bool:
        """Wait for the answer, and return whether it came in time."""
        begun = time.monotonic()
        await asyncio.wait({answer}, timeout=min(within, _UNCOUNTED))
        queued = self._queued_seconds() if not answer.done() else 0.0
        while not answer.done():
            lost = self._queued_seconds() - queued
            end = begun + min(within + lost, _STRETCH * within)
            if (left := end - time.monotonic()) <= 0:
                return False
            await asyncio.wait({answer}, timeout=left)
        return True

    def _queued_seconds(self) -> float:
        """Return how long the child's threads were runnable without a processor: sched-stats.rst.

        0 if the kernel doesn't count it.
        """
        nanoseconds = 0
        with suppress(OSError, ValueError, IndexError):
            for task in Path(f"/proc/{self.pid}/task").iterdir():
                nanoseconds += int((task / "schedstat").read_text().split()[1])
        return nanoseconds / 1e9

    def kill(self) -> None:
        """Have the child killed. `wait` for it afterwards."""
        if self._answer and not self._answer.done():
            asyncio.get_running_loop().remove_reader(self._channel)
            self._answer.set_result(b"")
        if not self._ended.is_set():
            self._kill()

    def mark_ended(self, status: int | None) -> None:
        """Record that the child has ended, and how."""
        self.status = status
        self._ended.set()

    async def wait(self) -> None:
        """Wait until a child that was killed has ended."""
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._ended.wait()
        except TimeoutError:
            self._give_up()
        self._channel.close()

    def _receive(self) -> None:
        """Read one message: first that the request was taken, then the answer; empty if dead."""
        message = receive_message(self._channel)
        if message is None:
            return
        if message and not self._taken:
            self._taken = True
        elif self._answer and not self._answer.done():
            self._answer.set_result(message)

    def _is_starved(self, started: float) -> bool:
        """Whether the child has CPU time left, and a thread that waits for a processor."""
        with suppress(OSError):
            used = time.clock_gettime(self._cpu_clock) - started
            tasks = list(Path(f"/proc/{self.pid}/task").iterdir())
            return used < self._cpu_seconds and any(_is_runnable(task) for task in tasks)
        return False


def receive_message(channel: socket.socket) -> bytes | None:
    """Read one message: None if there is none yet, empty if the other end has hung up."""
    try:
        return channel.recv(MAX_ANSWER_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _is_runnable(task: Path) -> bool:
    """Whether a thread runs, or would if it had a processor: see proc_pid_stat(5)."""
    with suppress(OSError):  # The thread has just ended.
        # The state follows the thread's name, which may contain anything.
        return (task / "stat").read_text().rpartition(")")[2].split()[0] == "R"
    return False

"""Many pictures on their way at once, each with patience."""

import collections
import queue
import threading
import time
from collections.abc import Generator, Sequence
from datetime import timedelta
from typing import Final

import httpx

from safelight.cli.client import Photo
from safelight.cli.delivery import Delivery, Ways
from safelight.cli.outcome import Outcome, failed, unsent
from safelight.cli.picture import Digest, Picture, Stopped
from safelight.cli.progress import Progress, Share
from safelight.cli.terminal import plain
from safelight.errors import (
    Invalid,
    OperatorError,
    RequestTimeout,
    SafelightError,
    TooManyUploads,
    Unavailable,
)

_TRIES: Final = 5
_WAIT: Final = timedelta(seconds=5)
_LONGEST_WAIT: Final = timedelta(seconds=60)
"""The longest between two tries, whatever the server asks for."""

_GONE_TRIES: Final = 8
_GONE_WAIT: Final = 15.0
"""Seconds, the longest, between tries to reach a server that was there before."""

Told = tuple[int, Outcome]

_GRACE: Final = 1.5
"""Seconds in which those who are stopped give up what they have reserved."""


class Sending:
    """Sends pictures, `jobs` at once, and knows when there is no sense in going on.

    The first goes alone until the server has answered: one that can't be talked to is asked once.
    Of those that have the same bytes only one is on its way at a time; the others wait for it.
    """

    def __init__(self, ways: Ways, progress: Progress, *, jobs: int) -> None:
        self._ways = ways
        self._progress = progress
        self._jobs = jobs
        self._lock = threading.Lock()
        self._left: collections.deque[Picture] = collections.deque()
        self._twins: dict[str, list[Picture]] = {}
        """Of each SHA-256 that is on its way, those who wait for it."""
        self._told: queue.SimpleQueue[Told | BaseException] = queue.SimpleQueue()
        self._hopeless: SafelightError | None = None

    def outcomes(self, pictures: Sequence[Picture]) -> Generator[Told]:
        """Send them, and give each one's place, and what became of it, as soon as it's known.

        Close it to stop: what is under way is given up, within two seconds.
        """
        self._left.extend(pictures)
        workers = [
            # A daemon, since one that waits for a server's answer can't be called back.
            threading.Thread(target=self._work, args=(number == 0,), daemon=True)
            for number in range(min(self._jobs, len(pictures)))
        ]
        for worker in workers:
            worker.start()
        try:
            for _ in pictures:
                told = self._told.get()
                if isinstance(told, BaseException):
                    raise told
                yield told
        finally:
            self._end(workers)

    def _end(self, workers: Sequence[threading.Thread]) -> None:
        self._ways.stop.set()
        self._ways.answered.set()
        deadline = time.monotonic() + _GRACE
        for worker in workers:
            worker.join(max(0, deadline - time.monotonic()))

    def _work(self, is_first: bool) -> None:  # noqa: FBT001  a thread's argument
        try:
            if not is_first:
                self._ways.answered.wait()
            while (picture := self._next()) is not None:
                self._bring(picture)
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001  raised again by who waits for the outcomes
            self._told.put(error)

    def _next(self) -> Picture | None:
        with self._lock:
            return self._left.popleft() if self._left and not self._ways.stop.is_set() else None

    def _bring(self, picture: Picture) -> None:
        if self._hopeless:
            self._told.put((picture.place, unsent(picture.path, self._hopeless)))
            return
        share = Share(self._progress, plain(picture.path.name), picture.size)
        try:
            digest = picture.digest(self._ways.stop)
        except OSError as error:
            self._told.put((picture.place, failed(picture.path, error)))
        else:
            if not self._is_alone(picture, digest):
                return
            outcome = self._sent(picture, digest, share)
            self._told.put((picture.place, outcome))
            self._follow(outcome, digest)
        share.end()

    def _is_alone(self, picture: Picture, digest: Digest) -> bool:
        """Whether no other with these bytes is on its way; else it waits for that one."""
        with self._lock:
            waiting = self._twins.get(digest.sha256)
            if waiting is None:
                self._twins[digest.sha256] = []
                return True
            waiting.append(picture)
            return False

    def _follow(self, outcome: Outcome, digest: Digest) -> None:
        """Tell the same of those with the same bytes; or let them try for themselves."""
        with self._lock:
            waiting = self._twins.pop(digest.sha256)
            if outcome.photo is None:
                self._left.extendleft(reversed(waiting))
                return
        for picture in waiting:
            Share(self._progress, plain(picture.path.name), picture.size).end()
            twin = Outcome(file=str(picture.path), outcome="existing", photo=outcome.photo)
            self._told.put((picture.place, twin))

    def _sent(self, picture: Picture, digest: Digest, share: Share) -> Outcome:
        delivery = Delivery(self._ways, picture, digest, share)
        try:
            photo, created = self._patiently(delivery, share)
        except (Invalid, RequestTimeout, OSError) as error:
            delivery.give_up()
            return failed(picture.path, error)
        except SafelightError as error:
            self._hopeless = error
            delivery.give_up()
            return failed(picture.path, error)
        except Stopped:
            delivery.give_up()
            raise
        return Outcome(
            file=str(picture.path), outcome="added" if created else "existing", photo=photo
        )

    def _patiently(self, delivery: Delivery, share: Share) -> tuple[Photo, bool]:
        """Try, and again when a busy server asks for it, or a line broke, or the server is away.

        What arrived before is no harm: the same bytes are never stored twice.
        """
        was_busy = was_gone = 0
        while True:
            try:
                return delivery.attempt()
            except (Unavailable, TooManyUploads) as error:
                was_busy += 1
                if was_busy == _TRIES:
                    raise
                pause = min(error.retry_after or _WAIT, _LONGEST_WAIT).total_seconds()
            except OperatorError as error:
                was_gone += 1
                if was_gone == _GONE_TRIES or not self._may_come_back(error):
                    raise
                pause = min(2.0 ** (was_gone - 1), _GONE_WAIT)
            share.wait()
            if self._ways.stop.wait(pause):
                raise Stopped

    def _may_come_back(self, error: OperatorError) -> bool:
        """Whether it is a server that was there before: it may be started again just now."""
        lost = isinstance(error.__cause__, httpx.TransportError)
        return lost and self._ways.answered.is_set() and not self._ways.stop.is_set()

"""Upload one photo by form many times, each time with different bytes, in a separate process.

A comment of random bytes after the first marker makes the bytes differ. After a 503, a sender waits
for the time in Retry-After and sends again. Reads a JSON object from standard input and writes one
to standard output: see `Sending` and `Outcome`.
"""

import http.client
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

_BOUNDARY = "a-boundary-that-no-photo-has"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """The uploads: `uploads` in total, `at_once` concurrently."""

    port: int
    path: str
    photo: str
    uploads: int
    at_once: int = 1
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The number of answers by status, and the seconds."""

    statuses: dict[str, int]
    seconds: float


class _Senders:
    def __init__(self, sending: Sending) -> None:
        self._sending = sending
        self._jpeg = memoryview(Path(sending.photo).read_bytes())
        self._left = iter(range(sending.uploads))
        self._lock = threading.Lock()
        self.statuses: Counter[str] = Counter()

    def run(self) -> None:
        threads = [threading.Thread(target=self._send_all) for _ in range(self._sending.at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send_all(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._sending.port, timeout=120)
        while self._next() is not None:
            while (pause := self._send(connection, os.urandom(16))) is not None:
                time.sleep(pause)

    def _next(self) -> int | None:
        with self._lock:
            return next(self._left, None)

    def _send(self, connection: http.client.HTTPConnection, mark: bytes) -> float | None:
        """Send once; return the seconds to wait if it must be sent again."""
        pieces = list(self._pieces(mark))
        try:
            connection.putrequest("POST", self._sending.path)
            for name, value in self._sending.headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}")
            connection.putheader("Content-Length", str(sum(map(len, pieces))))
            connection.endheaders()
            for piece in pieces:
                connection.send(piece)
            answer = connection.getresponse()
            answer.read()
        except OSError as error:
            connection.close()
            self._count(type(error).__name__)
            return 1.0
        self._count(str(answer.status))
        return float(answer.headers.get("Retry-After", "1")) if answer.status == 503 else None

    def _count(self, outcome: str) -> None:
        with self._lock:
            self.statuses[outcome] += 1

    def _pieces(self, mark: bytes) -> Iterator[bytes | memoryview]:
        """Yield the form's body: a title, and the photo with the mark as a JPEG comment."""
        yield (
            f"--{_BOUNDARY}\r\n"
            'Content-Disposition: form-data; name="title"\r\n\r\nA photo\r\n'
            f"--{_BOUNDARY}\r\n"
            'Content-Disposition: form-data; name="photo"; filename="photo.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        ).encode()
        yield self._jpeg[:2]
        yield b"\xff\xfe" + (len(mark) + 2).to_bytes(2, "big") + mark
        yield self._jpeg[2:]
        yield f"\r\n--{_BOUNDARY}--\r\n".encode()


def send(sending: Sending) -> Outcome:
    """Send all uploads."""
    senders = _Senders(sending)
    started_at = time.perf_counter()
    senders.run()
    return Outcome(statuses=dict(senders.statuses), seconds=time.perf_counter() - started_at)


if __name__ == "__main__":
    print(json.dumps(asdict(send(Sending(**json.load(sys.stdin))))))

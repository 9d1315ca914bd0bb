"""Request pages as fast as the server answers, over persistent connections, in a separate process.

It uses raw sockets and one `epoll`, so that a request costs far less than its answer. Reads a JSON
object from standard input and writes one to standard output: see `Reading` and `Outcome`.
"""

import json
import selectors
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import cycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The requests: over `connections` at once, with the `paths` in turn."""

    port: int
    paths: list[str]
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = 8
    seconds: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answers within `seconds`: times in milliseconds, and the bytes of all bodies."""

    answers: int
    seconds: float
    median: float
    p95: float
    bytes: int


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._started_at = 0.0
        self._head = b""
        self._left: int | None = None
        self.body = 0

    def send(self, request: bytes) -> None:
        self._head, self._left = b"", None
        self._started_at = time.perf_counter()
        self.socket.sendall(request)

    def read(self, into: bytearray) -> float | None:
        """Read what has arrived; return the answer's milliseconds once it is complete."""
        count = self.socket.recv_into(into)
        if not count:
            raise SystemExit("the server closed a connection")
        if self._left is None:
            self._head += into[:count]
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return None
            self.body = self._left = _length(self._head[:end])
            count = len(self._head) - end - 4
        self._left -= count
        return None if self._left else (time.perf_counter() - self._started_at) * 1000


def _length(head: bytes) -> int:
    status, *lines = head.split(b"\r\n")
    if b" 200 " not in status:
        raise SystemExit(f"the server answered {status.decode()}")
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise SystemExit("the server sent no Content-Length")


def read(reading: Reading) -> Outcome:
    """Send requests for `reading.seconds`."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in reading.headers.items())
    requests = cycle(
        f"GET {path} HTTP/1.1\r\nHost: localhost:{reading.port}\r\n{lines}\r\n".encode()
        for path in reading.paths
    )
    selector = selectors.DefaultSelector()
    for _ in range(reading.connections):
        connection = _Connection(reading.port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(next(requests))
    into, times, received = bytearray(512 * 1024), [], 0
    started_at = time.perf_counter()
    while (elapsed := time.perf_counter() - started_at) < reading.seconds:
        for key, _ in selector.select(1.0):
            took = key.data.read(into)
            if took is not None:
                times.append(took)
                received += key.data.body
                key.data.send(next(requests))
    times.sort()
    return Outcome(
        answers=len(times),
        seconds=elapsed,
        median=times[len(times) // 2],
        p95=times[len(times) * 95 // 100],
        bytes=received,
    )


if __name__ == "__main__":
    print(json.dumps(asdict(read(Reading(**json.load(sys.stdin))))))

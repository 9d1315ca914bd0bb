"""An HTTP client that sends exactly the given bytes."""

import contextlib
import json
import select
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.app_server import Site

BOUNDARY = b"a-boundary"
MULTIPART = b"multipart/form-data; boundary=" + BOUNDARY


def part(head: bytes, data: bytes) -> bytes:
    return b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\n" + data + b"\r\n"


def field(name: bytes, value: bytes) -> bytes:
    return part(b'Content-Disposition: form-data; name="' + name + b'"', value)


def photo_part(data: bytes, filename: bytes = b"photo.jpg") -> bytes:
    """Make a part as browsers do; `filename` is inserted between the quotes unchanged."""
    head = b'Content-Disposition: form-data; name="photo"; filename="' + filename + b'"'
    return part(head + b"\r\nContent-Type: image/jpeg", data)


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A response. `interim` are the informational statuses (100) before it."""

    status: int
    headers: dict[str, str]
    body: bytes
    interim: tuple[int, ...] = ()

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        assert self.headers["content-type"] == "application/problem+json", self
        problem = self.json()
        assert problem["status"] == self.status
        return str(problem["code"])


class RawConnection:
    """A connection to a site."""

    def __init__(
        self,
        site: Site,
        *,
        timeout: float = 120,
        send_buffer: int | None = None,
        source: str = "127.0.0.1",
    ) -> None:
        self.socket = socket.socket()
        self.socket.bind((source, 0))
        if send_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((site.host, site.port))
        self._site = site
        self._read = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def head(self, method: bytes = b"POST", path: bytes = b"/api/photos", *lines: bytes) -> None:
        """Send the head of a request."""
        host = f"Host: {self._site.host}:{self._site.port}".encode()
        self.send(b"\r\n".join((method + b" " + path + b" HTTP/1.1", host, *lines, b"", b"")))

    def post(self, body: bytes, *lines: bytes, kind: bytes = MULTIPART) -> RawResponse:
        """Send a complete upload and read the response."""
        length = b"Content-Length: %d" % len(body)
        self.head(b"POST", b"/api/photos", length, b"Content-Type: " + kind, *lines)
        self.send(body)
        return self.answer()

    def answer(self) -> RawResponse:
        """Read a complete response."""
        interim: list[int] = []
        while True:
            head = self._until(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            status = int(first.split()[1])
            if status >= 200:
                break
            interim.append(status)
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        return RawResponse(status, headers, self._body(status, headers), tuple(interim))

    def pour(self, pieces: Iterable[bytes]) -> tuple[RawResponse, int]:
        """Send until the server responds or closes; return the response and the bytes sent.

        Like clients that send everything before they read.
        """
        sent = 0
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                if self._is_answered():
                    break
                self.send(piece)
                sent += len(piece)
        return self.answer(), sent

    def dribble(self, data: bytes, *, every: float) -> RawResponse:
        """Send a byte at a time until the server responds."""
        timeout = self.socket.gettimeout()
        self.socket.settimeout(every)
        for at in range(len(data)):
            try:
                self.send(data[at : at + 1])
                self.socket.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                continue
            break
        self.socket.settimeout(timeout)
        return self.answer()

    def is_closed(self) -> bool:
        """Wait for the server to close."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self.socket.close()

    def _is_answered(self) -> bool:
        return bool(select.select([self.socket], [], [], 0)[0])

    def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if status in {204, 304}:
            return b""
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._take(size + 2)[:-2]
            self._take(2)
            return body
        return self._take(int(headers["content-length"]))

    def _until(self, end: bytes) -> bytes:
        while end not in self._read:
            self._more()
        found, _, self._read = self._read.partition(end)
        return found

    def _take(self, count: int) -> bytes:
        while len(self._read) < count:
            self._more()
        found, self._read = self._read[:count], self._read[count:]
        return found

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection before the end of the response")
        self._read += data


@contextmanager
def open_connection(
    site: Site,
    *,
    timeout: float = 120,
    send_buffer: int | None = None,
    source: str = "127.0.0.1",
) -> Iterator[RawConnection]:
    connected = RawConnection(site, timeout=timeout, send_buffer=send_buffer, source=source)
    try:
        yield connected
    finally:
        connected.close()


def raw_request(
    site: Site, method: bytes, path: bytes, *lines: bytes, body: bytes = b""
) -> RawResponse:
    """Send one request over a new connection."""
    with open_connection(site) as connected:
        length = (b"Content-Length: %d" % len(body),) if body else ()
        connected.head(method, path, *length, *lines)
        connected.send(body)
        return connected.answer()


def raw_upload(site: Site, body: bytes, *lines: bytes, kind: bytes = MULTIPART) -> RawResponse:
    """Upload once over a new connection."""
    with open_connection(site) as connected:
        return connected.post(body, *lines, kind=kind)

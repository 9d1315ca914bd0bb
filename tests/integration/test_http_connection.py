"""What a client can make one connection keep, and how long."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

import pytest
from starlette.types import Receive, Scope, Send

from integration.served import House, Site
from integration.wire import Wire, chunk, wire
from safelight.web.connection import MAX_HEADERS, MAX_WAITING, Connection

KiB, MiB = 1024, 1024 * 1024
CHUNKED = b"Transfer-Encoding: chunked"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Recorder:
    """An app that reads a body to its end and answers with `size` bytes after `pause` seconds."""

    def __init__(self, *, size: int = 2, pause: float = 0) -> None:
        self.answer = b"x" * size
        self.pause = pause
        self.scopes: list[Scope] = []
        self.bodies: list[int] = []
        self.left = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        received = 0
        while True:
            message = await receive()
            received += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        self.bodies.append(received)
        await asyncio.sleep(self.pause)
        headers = [(b"content-length", b"%d" % len(self.answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for at in range(0, len(self.answer), 64 * KiB):
            piece = self.answer[at : at + 64 * KiB]
            more = at + len(piece) < len(self.answer)
            await send({"type": "http.response.body", "body": piece, "more_body": more})
        self.left += (await receive())["type"] == "http.disconnect"


def _served(house: House, recorder: Recorder) -> Site:
    return house.serve(recorder)  # type: ignore[arg-type]  # any ASGI app will do


def _connections(house: House, site: Site) -> list[Connection]:
    servers = [server for server, _ in house._served if server.config.app is site.app]
    return [each for each in servers[0].server_state.connections if isinstance(each, Connection)]


@contextmanager
def _hurrying(seconds: float, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "head_seconds", seconds)
        patch.setattr(Connection, "reader_seconds", seconds)
        yield


def _sent(connection: Wire, piece: bytes, *, most: int) -> int:
    """Send a piece again and again until the server hangs up; tell how much it took."""
    sent = 0
    try:
        while sent < most:
            connection.send(piece)
            sent += len(piece)
    except ConnectionError:
        pass
    return sent


def _begin_trailers(connection: Wire) -> None:
    connection.head(b"POST", b"/", CHUNKED)
    connection.send(chunk(b"x") + b"0\r\n")


def test_trailers_are_dropped(a_house: House) -> None:
    recorder = Recorder()
    with wire(_served(a_house, recorder)) as connection:
        _begin_trailers(connection)
        connection.send(b"Host: elsewhere.example\r\nX-Late: 1\r\n\r\n")
        assert connection.answer().status == 200
        connection.send(GET)
        assert connection.answer().status == 200
    names = [name for name, _ in recorder.scopes[0]["headers"]]
    assert names.count(b"host") == 1
    assert b"x-late" not in names


@pytest.mark.parametrize(
    "piece",
    [b"X-A: b\r\n", b"X-A: " + b"a" * (64 * KiB) + b"\r\n", b"a" * (16 * KiB)],
    ids=["many", "long ones", "one that never ends"],
)
def test_trailers_without_end_are_hung_up_on(a_house: House, piece: bytes) -> None:
    recorder = Recorder()
    with wire(_served(a_house, recorder), send_buffer=64 * KiB) as connection:
        _begin_trailers(connection)
        connection.send(b"X-A: ")
        assert _sent(connection, piece * (1 + 16 * KiB // len(piece)), most=32 * MiB) < 16 * MiB
        assert connection.is_closed()
    assert recorder.bodies in ([], [1])


def test_a_chunk_extension_without_end_is_hung_up_on(a_house: House) -> None:
    with wire(_served(a_house, Recorder()), send_buffer=64 * KiB) as connection:
        connection.head(b"POST", b"/", CHUNKED)
        connection.send(b"1;x=")
        assert _sent(connection, b"a" * (16 * KiB), most=32 * MiB) < 16 * MiB
        assert connection.is_closed()


@pytest.mark.parametrize("size", [1, 100, 3 * MiB], ids=["of a byte", "small", "huge"])
def test_a_large_body_comes_through_in_chunks_of_any_size(a_house: House, size: int) -> None:
    recorder = Recorder()
    count = min(6 * MiB // size, 200 * KiB)
    with wire(_served(a_house, recorder)) as connection:
        connection.head(b"POST", b"/", CHUNKED)
        connection.send(chunk(bytes(size)) * count + b"0\r\nX-Checksum: 1\r\n\r\n")
        assert connection.answer().status == 200
    assert recorder.bodies == [size * count]


def test_a_head_of_too_many_lines_is_told_so(a_house: House) -> None:
    recorder = Recorder()
    site = _served(a_house, recorder)
    with wire(site) as connection:
        connection.head(b"GET", b"/", *[b"a:"] * (MAX_HEADERS - 1))
        assert connection.answer().status == 200
        connection.head(b"GET", b"/", *[b"a:"] * MAX_HEADERS)
        assert connection.answer().status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        assert connection.is_closed()
    assert len(recorder.scopes) == 1


def test_empty_lines_after_an_answer_do_not_hold_the_connection(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _hurrying(0.5, monkeypatch), wire(site) as connection:
        connection.send(GET)
        assert connection.answer().status == 200
        connection.send(b"\r\n")
        time.sleep(0.3)
        connection.send(b"\r\n")
        assert connection.is_closed()


def test_empty_lines_before_a_request_are_skipped(site: Site) -> None:
    with wire(site) as connection:
        for _ in range(3):
            connection.send(b"\r\n")
            connection.send(b"\r\n" + GET + b"\r\n")
            assert connection.answer().status == 200


def test_empty_lines_without_end_are_hung_up_on(site: Site) -> None:
    with wire(site, send_buffer=64 * KiB) as connection:
        assert _sent(connection, b"\r\n" * (8 * KiB), most=32 * MiB) < 16 * MiB
        assert connection.is_closed()


def test_an_answer_that_takes_long_is_not_cut_short_by_what_was_sent_behind_the_request(
    a_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = _served(a_house, Recorder(pause=1))
    with _hurrying(0.2, monkeypatch), wire(site) as connection:
        connection.send(GET)
        connection.send(b"\r\nGET / HT")
        assert connection.answer().status == 200
        assert connection.is_closed()


def test_requests_that_wait_are_answered_in_their_turn(site: Site) -> None:
    with wire(site) as connection:
        connection.send(GET * (1 + MAX_WAITING))
        assert [connection.answer().status for _ in range(1 + MAX_WAITING)] == [200] * 9


def test_too_many_requests_that_wait_are_hung_up_on(a_house: House) -> None:
    recorder = Recorder(pause=0.2)
    with wire(_served(a_house, recorder)) as connection:
        connection.send(GET * (2 + MAX_WAITING))
        assert connection.is_closed()
        time.sleep(0.5)
    assert len(recorder.scopes) == 1


def test_nonsense_behind_a_request_is_no_answer_to_it(a_house: House) -> None:
    with wire(_served(a_house, Recorder(pause=0.2))) as connection:
        connection.send(GET + b"\0nonsense\r\n\r\n")
        assert connection.socket.recv(100) == b""


@contextmanager
def _small_reader(site: Site) -> Iterator[socket.socket]:
    """Connect with next to no room for what comes."""
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.settimeout(30)
        reader.connect((site.host, site.port))
        yield reader


@pytest.mark.parametrize("waiting", [0, 3])
def test_who_reads_nothing_is_hung_up_on(
    a_house: House, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    recorder = Recorder(size=8 * MiB)
    site = _served(a_house, recorder)
    with _hurrying(0.5, monkeypatch), _small_reader(site) as reader:
        reader.sendall(GET * (1 + waiting))
        _until(lambda: bool(_connections(a_house, site)))
        _until(lambda: not _connections(a_house, site))
        _until(lambda: recorder.left == 1)


@pytest.mark.parametrize("end", [b"", b"Connection: close\r\n"], ids=["kept alive", "to be closed"])
def test_who_does_not_read_the_last_bytes_is_hung_up_on(
    a_house: House, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    """They are too few for the transport to complain, which would wait for ever to close."""
    site = _served(a_house, Recorder(size=48 * KiB))
    _shrink_kernel_buffers(monkeypatch)
    with _hurrying(0.5, monkeypatch), _small_reader(site) as reader:
        reader.sendall(GET[:-2] + end + b"\r\n")
        _until(
            lambda: any(
                each.transport.get_write_buffer_size() > 0 for each in _connections(a_house, site)
            )
        )
        _until(lambda: not _connections(a_house, site), seconds=10)


def test_who_reads_slowly_gets_all(a_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 8 * MiB
    site = _served(a_house, Recorder(size=size))
    received = 0
    with _hurrying(0.3, monkeypatch), _small_reader(site) as reader:
        reader.sendall(GET[:-2] + b"Connection: close\r\n\r\n")
        while data := reader.recv(64 * KiB):
            received += len(data)
            time.sleep(0.0005)
    assert received > size


def _shrink_kernel_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Connection.connection_made

    def shrinking(self: Connection, transport: asyncio.Transport) -> None:
        ours = transport.get_extra_info("socket")
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        made(self, transport)

    monkeypatch.setattr(Connection, "connection_made", shrinking)


def _until(holds: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)

"""Limits on the memory and time that one connection may take."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus

import pytest
from starlette.types import Receive, Scope, Send

from safelight.server.connection_limits import ConnectionLimits
from safelight.web.http.connections import ConnectionLimiter
from safelight.web.http.protocol import MAX_HEADERS, MAX_WAITING, HttpProtocol
from support.app_server import AppServer, Site
from support.raw_http import RawConnection, chunk, open_connection

KiB, MiB = 1024, 1024 * 1024
CHUNKED = b"Transfer-Encoding: chunked"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Recorder:
    """An app that reads the whole body and responds with `size` bytes after `pause` seconds."""

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


@pytest.fixture
def site(app_server: AppServer) -> Site:
    """A site with connections of its own only."""
    return app_server.site()


def _serve(
    app_server: AppServer, recorder: Recorder, limits: ConnectionLimits | None = None
) -> Site:
    return app_server.serve(recorder, limits=limits)  # type: ignore[arg-type]  # any ASGI app will do


def _connections(app_server: AppServer, site: Site) -> list[HttpProtocol]:
    servers = [server for server in app_server._servers if server.config.app is site.app]
    return [each for each in servers[0].server_state.connections if isinstance(each, HttpProtocol)]


@contextmanager
def _short_timeout(name: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(HttpProtocol, f"{name}_seconds", seconds)
        yield


def _send_repeatedly(connection: RawConnection, piece: bytes, *, most: int) -> int:
    """Send a piece repeatedly until the server closes; return the bytes sent."""
    sent = 0
    try:
        while sent < most:
            connection.send(piece)
            sent += len(piece)
    except ConnectionError:
        pass
    return sent


def _begin_trailers(connection: RawConnection) -> None:
    connection.head(b"POST", b"/", CHUNKED)
    connection.send(chunk(b"x") + b"0\r\n")


def test_trailers_are_dropped(app_server: AppServer) -> None:
    recorder = Recorder()
    with open_connection(_serve(app_server, recorder)) as connection:
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
def test_endless_trailers_close_the_connection(app_server: AppServer, piece: bytes) -> None:
    recorder = Recorder()
    with open_connection(_serve(app_server, recorder), send_buffer=64 * KiB) as connection:
        _begin_trailers(connection)
        connection.send(b"X-A: ")
        assert (
            _send_repeatedly(connection, piece * (1 + 16 * KiB // len(piece)), most=32 * MiB)
            < 16 * MiB
        )
        assert connection.is_closed()
    assert recorder.bodies in ([], [1])


def test_endless_chunk_extension_closes_the_connection(app_server: AppServer) -> None:
    with open_connection(_serve(app_server, Recorder()), send_buffer=64 * KiB) as connection:
        connection.head(b"POST", b"/", CHUNKED)
        connection.send(b"1;x=")
        assert _send_repeatedly(connection, b"a" * (16 * KiB), most=32 * MiB) < 16 * MiB
        assert connection.is_closed()


@pytest.mark.parametrize("size", [1, 100, 3 * MiB], ids=["of a byte", "small", "huge"])
def test_large_body_is_accepted_in_chunks_of_any_size(app_server: AppServer, size: int) -> None:
    recorder = Recorder()
    count = min(6 * MiB // size, 200 * KiB)
    with open_connection(_serve(app_server, recorder)) as connection:
        connection.head(b"POST", b"/", CHUNKED)
        connection.send(chunk(bytes(size)) * count + b"0\r\nX-Checksum: 1\r\n\r\n")
        assert connection.answer().status == 200
    assert recorder.bodies == [size * count]


def test_too_many_headers_get_431(app_server: AppServer) -> None:
    recorder = Recorder()
    site = _serve(app_server, recorder)
    with open_connection(site) as connection:
        connection.head(b"GET", b"/", *[b"a:"] * (MAX_HEADERS - 1))
        assert connection.answer().status == 200
        connection.head(b"GET", b"/", *[b"a:"] * MAX_HEADERS)
        assert connection.answer().status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        assert connection.is_closed()
    assert len(recorder.scopes) == 1


def test_empty_lines_after_a_response_do_not_keep_the_connection_open(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_connection(site) as connection:
        connection.send(GET)
        assert connection.answer().status == 200
        with _short_timeout("head", 0.5, monkeypatch), contextlib.suppress(ConnectionError):
            connection.send(b"\r\n")
            time.sleep(0.3)
            connection.send(b"\r\n")
        assert connection.is_closed()


def test_empty_lines_before_a_request_are_skipped(site: Site) -> None:
    with open_connection(site) as connection:
        for _ in range(3):
            connection.send(b"\r\n")
            connection.send(b"\r\n" + GET + b"\r\n")
            assert connection.answer().status == 200


def test_endless_empty_lines_close_the_connection(site: Site) -> None:
    with open_connection(site, send_buffer=64 * KiB) as connection:
        assert _send_repeatedly(connection, b"\r\n" * (8 * KiB), most=32 * MiB) < 16 * MiB
        assert connection.is_closed()


def test_slow_response_is_complete_although_more_data_follows_the_request(
    app_server: AppServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = _serve(app_server, Recorder(pause=1))
    with open_connection(site) as connection, _short_timeout("head", 0.2, monkeypatch):
        connection.send(GET)
        connection.send(b"\r\nGET / HT")
        assert connection.answer().status == 200
        assert connection.is_closed()


def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    with open_connection(site) as connection:
        connection.send(GET * (1 + MAX_WAITING))
        assert [connection.answer().status for _ in range(1 + MAX_WAITING)] == [200] * 9


def test_too_many_pipelined_requests_close_the_connection(app_server: AppServer) -> None:
    recorder = Recorder(pause=0.2)
    with open_connection(_serve(app_server, recorder)) as connection:
        connection.send(GET * (2 + MAX_WAITING))
        assert connection.is_closed()
        time.sleep(0.5)
    assert len(recorder.scopes) == 1


def test_invalid_data_after_a_request_does_not_replace_its_response(app_server: AppServer) -> None:
    with open_connection(_serve(app_server, Recorder(pause=0.2))) as connection:
        connection.send(GET + b"\0nonsense\r\n\r\n")
        assert connection.socket.recv(100) == b""


def _limits(*, total: int, per_address: int) -> ConnectionLimits:
    server = ConnectionLimiter("server", total=total, per_address=per_address)
    return ConnectionLimits(server=server, relay=server, backlog=100)


def test_idle_connections_of_one_client_do_not_keep_others_out(app_server: AppServer) -> None:
    limits = _limits(total=20, per_address=20)
    site = _serve(app_server, Recorder(), limits)
    with ExitStack() as stack:

        def connect(source: str) -> RawConnection:
            return stack.enter_context(open_connection(site, source=source))

        kept = [connect("127.0.0.3") for _ in range(2)]
        idle = [connect("127.0.0.2") for _ in range(100)]
        idle[-1].send(b"GET / HT")  # a head that never ends is idle, too
        for connection in (*kept, connect("127.0.0.4")):
            connection.send(GET)
            assert connection.answer().status == 200
        assert idle[0].is_closed()
        _until(lambda: limits.server.count == 20)


def test_requests_in_progress_are_finished_and_new_connections_refused(
    app_server: AppServer, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    limits = _limits(total=20, per_address=2)
    site = _serve(app_server, recorder, limits)
    with ExitStack() as stack:
        busy = [stack.enter_context(open_connection(site)) for _ in range(2)]
        for connection in busy:
            connection.head(b"POST", b"/", b"Content-Length: 1")
        _until(lambda: len(recorder.scopes) == 2)
        with open_connection(site) as refused:
            answer = refused.answer()
            assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert refused.is_closed()
        assert "too many connections" in caplog.text
        for connection in busy:
            connection.send(b"x")
            assert connection.answer().status == 200
        with open_connection(site) as admitted:
            admitted.send(GET)
            assert admitted.answer().status == 200
    _until(lambda: limits.server.count == 0)


@contextmanager
def _small_reader(site: Site) -> Iterator[socket.socket]:
    """Connect with a tiny receive buffer."""
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.settimeout(120)
        reader.connect((site.host, site.port))
        yield reader


@pytest.mark.parametrize("waiting", [0, 3])
def test_client_that_reads_nothing_is_disconnected(
    app_server: AppServer, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    recorder = Recorder(size=8 * MiB)
    site = _serve(app_server, recorder)
    with _short_timeout("reader", 0.5, monkeypatch), _small_reader(site) as reader:
        reader.sendall(GET * (1 + waiting))
        _until(lambda: recorder.left == 1)
        _until(lambda: not _connections(app_server, site))


@pytest.mark.parametrize("end", [b"", b"Connection: close\r\n"], ids=["kept alive", "to be closed"])
def test_client_that_does_not_read_the_last_bytes_is_disconnected(
    app_server: AppServer, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    """They fit the transport's buffer, which would otherwise wait forever to close."""
    site = _serve(app_server, recorder := Recorder(size=48 * KiB))
    _shrink_kernel_buffers(monkeypatch)
    with _short_timeout("reader", 0.5, monkeypatch), _small_reader(site) as reader:
        reader.sendall(GET[:-2] + end + b"\r\n")
        _until(lambda: recorder.bodies == [0])
        _until(lambda: not _connections(app_server, site))


def test_slow_reader_gets_the_whole_response(
    app_server: AppServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 8 * MiB
    site = _serve(app_server, Recorder(size=size))
    received, longest = 0, 1.0
    with _short_timeout("reader", 0.3, monkeypatch):
        while received <= size and longest > 0.1:  # a pause of this machine's: try again
            received, longest = _read_slowly(site)
    assert received > size


def _read_slowly(site: Site) -> tuple[int, float]:
    """Return how many bytes of a response were received, and the longest pause between two."""
    received, longest, last = 0, 0.0, time.monotonic()
    with _small_reader(site) as reader, contextlib.suppress(ConnectionError):
        reader.sendall(GET[:-2] + b"Connection: close\r\n\r\n")
        while data := reader.recv(64 * KiB):
            received += len(data)
            time.sleep(0.0005)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
    return received, longest


def _shrink_kernel_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    made = HttpProtocol.connection_made

    def shrinking(self: HttpProtocol, transport: asyncio.Transport) -> None:
        ours = transport.get_extra_info("socket")
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        made(self, transport)

    monkeypatch.setattr(HttpProtocol, "connection_made", shrinking)


def _until(holds: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)

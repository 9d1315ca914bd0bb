"""Bearer tokens: required, and checked before any byte of a body is read."""

import contextlib
import socket
import time

import httpx
import pytest

from safelight.web.middleware import exchange
from support import pictures
from support.app_server import TOKEN, Site
from support.raw_http import MULTIPART, form, open_connection, photo_part, raw_request

BEARER = {"Authorization": f"Bearer {TOKEN}"}
FOREIGN = "http://evil.example"


def _upload(client: httpx.Client, headers: dict[str, str]) -> httpx.Response:
    return client.post("/api/photos", files={"photo": pictures.jpeg()}, headers=headers)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN} x",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \xff\xfe",
        f"Token {TOKEN}",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/photos"),
        ("POST", "/api/photos"),
        ("GET", "/api/photos/1"),
        ("PATCH", "/api/photos/1"),
        ("DELETE", "/api/photos/1"),
        ("GET", "/api/photos/1/original"),
        ("GET", "/api/photos/abc"),
    ],
)
def test_requests_without_a_token_get_401(
    guarded: Site, method: str, path: str, authorization: str | None
) -> None:
    lines = [] if authorization is None else [f"Authorization: {authorization}".encode("latin-1")]
    answer = raw_request(guarded, method.encode(), path.encode(), *lines)
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_token_is_not_accepted_as_cookie_or_parameter(
    guarded: Site, anonymous_client: httpx.Client
) -> None:
    assert (
        anonymous_client.get(f"/api/photos?token={TOKEN}&access_token={TOKEN}").status_code == 401
    )
    for name in ("token", "session", "safelight"):
        cookie = {"Cookie": f"{name}={TOKEN}"}
        assert anonymous_client.get("/api/photos", headers=cookie).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": FOREIGN},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Referer": f"{FOREIGN}/page"},
    ],
)
def test_bearer_token_is_accepted_from_any_origin(
    anonymous_client: httpx.Client, headers: dict[str, str]
) -> None:
    made = _upload(anonymous_client, headers | BEARER)
    assert made.status_code == 201
    where = made.headers["Location"]
    assert (
        anonymous_client.patch(where, json={"title": "x"}, headers=headers | BEARER).status_code
        == 200
    )
    assert anonymous_client.delete(where, headers=headers | BEARER).status_code == 204


def test_authentication_precedes_reading_the_body(guarded: Site) -> None:
    with open_connection(guarded) as connection:
        connection.head(
            b"POST", b"/api/photos", b"Content-Length: 5242880", b"Content-Type: " + MULTIPART
        )
        answer = connection.answer()
    assert (answer.status, answer.code) == (401, "unauthenticated")


@pytest.mark.parametrize("lines", [(b"Content-Length: 5242880",), (b"Transfer-Encoding: chunked",)])
def test_unauthenticated_expect_gets_no_100_continue(
    guarded: Site, lines: tuple[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server doesn't wait for a body that won't be sent either."""
    monkeypatch.setattr(exchange, "_DRAIN_SECONDS", 60)
    with open_connection(guarded) as connection:
        expect = b"Expect: 100-continue"
        connection.head(b"POST", b"/api/photos", expect, b"Content-Type: " + MULTIPART, *lines)
        answer = connection.answer()
        assert (answer.status, answer.interim) == (401, ())
        assert answer.headers["connection"] == "close"
        assert connection.is_closed()


def test_authenticated_expect_gets_100_continue(site: Site) -> None:
    body = form(photo_part(pictures.jpeg()))
    with open_connection(site) as connection:
        connection.head(
            b"POST",
            b"/api/photos",
            b"Expect: 100-continue",
            b"Content-Type: " + MULTIPART,
            b"Content-Length: %d" % len(body),
        )
        assert connection.socket.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send(body)
        assert connection.answer().status == 201


def test_http_1_0_gets_no_100_continue(site: Site) -> None:
    """RFC 9110, 15.2: such a client would take it for the response."""
    body = form(photo_part(pictures.jpeg()))
    head = (
        b"POST /api/photos HTTP/1.0\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: %b"
        b"\r\nContent-Length: %d\r\n\r\n"
    )
    with open_connection(site) as connection:
        connection.send(head % (MULTIPART, len(body)) + body)
        answer = connection.answer()
    assert (answer.status, answer.interim) == (201, ())


def test_little_of_an_unauthenticated_body_is_read(guarded: Site) -> None:
    """The server discards at most a mebibyte; the kernel's buffers hold the rest."""
    with open_connection(guarded, send_buffer=4096) as connection:
        connection.head(
            b"POST", b"/api/photos", b"Content-Length: 104857600", b"Content-Type: " + MULTIPART
        )
        sent = 0
        with contextlib.suppress(ConnectionError, TimeoutError):
            while sent < 100 * 1024 * 1024:
                sent += connection.socket.send(bytes(65536))
    assert sent < 1024 * 1024 + _kernel_buffer_size()


def _kernel_buffer_size() -> int:
    """Return how many bytes the buffers between two local sockets may hold."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sender.connect(listener.getsockname())
        sender.setblocking(False)  # noqa: FBT003  the only way to say it
        buffered = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                buffered += sender.send(bytes(65536))
    return 4 * buffered + 4 * 1024 * 1024


def test_refused_client_that_sends_everything_can_read_the_401(
    guarded: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection isn't reset, although the response was sent long before."""
    monkeypatch.setattr(exchange, "_DRAIN_SECONDS", 60)
    body = form(photo_part(bytes(900_000)))
    with open_connection(guarded) as connection:
        length = b"Content-Length: %d" % len(body)
        connection.head(b"POST", b"/api/photos", length, b"Content-Type: " + MULTIPART)
        for at in range(0, len(body), 100_000):
            connection.send(body[at : at + 100_000])
            time.sleep(0.05)
        answer = connection.answer()
    assert (answer.status, answer.code) == (401, "unauthenticated")

"""Who may, and that it is decided before one byte of a body is read."""

import contextlib
import socket
import time

import httpx
import pytest

import pictures
from integration.served import TOKEN, Site
from integration.wire import MULTIPART, asked, form, photo_part, wire
from safelight.web import edge

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
def test_without_the_token_nothing_is_told(
    guarded: Site, method: str, path: str, authorization: str | None
) -> None:
    lines = [] if authorization is None else [f"Authorization: {authorization}".encode("latin-1")]
    answer = asked(guarded, method.encode(), path.encode(), *lines)
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_the_token_is_no_cookie_and_no_parameter(guarded: Site, visitor: httpx.Client) -> None:
    assert visitor.get(f"/api/photos?token={TOKEN}&access_token={TOKEN}").status_code == 401
    for name in ("token", "session", "safelight"):
        cookie = {"Cookie": f"{name}={TOKEN}"}
        assert visitor.get("/api/photos", headers=cookie).status_code == 401


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
def test_a_bearer_may_from_anywhere(visitor: httpx.Client, headers: dict[str, str]) -> None:
    made = _upload(visitor, headers | BEARER)
    assert made.status_code == 201
    where = made.headers["Location"]
    assert visitor.patch(where, json={"title": "x"}, headers=headers | BEARER).status_code == 200
    assert visitor.delete(where, headers=headers | BEARER).status_code == 204


def test_who_you_are_is_decided_before_one_byte_of_the_body_comes(guarded: Site) -> None:
    with wire(guarded) as connection:
        connection.head(
            b"POST", b"/api/photos", b"Content-Length: 5242880", b"Content-Type: " + MULTIPART
        )
        answer = connection.answer()
    assert (answer.status, answer.code) == (401, "unauthenticated")


@pytest.mark.parametrize("lines", [(b"Content-Length: 5242880",), (b"Transfer-Encoding: chunked",)])
def test_nobody_is_asked_to_go_on_who_may_not(
    guarded: Site, lines: tuple[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is anything waited for that won't be sent."""
    monkeypatch.setattr(edge, "_DRAIN_SECONDS", 60)
    with wire(guarded) as connection:
        expect = b"Expect: 100-continue"
        connection.head(b"POST", b"/api/photos", expect, b"Content-Type: " + MULTIPART, *lines)
        answer = connection.answer()
        assert (answer.status, answer.interim) == (401, ())
        assert answer.headers["connection"] == "close"
        assert connection.is_closed()


def test_who_may_is_asked_to_go_on(site: Site) -> None:
    body = form(photo_part(pictures.jpeg()))
    with wire(site) as connection:
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


def test_of_a_body_that_nobody_may_send_little_is_taken(guarded: Site) -> None:
    """The server drops a mebibyte at the most; what else goes out lies in the kernel's buffers."""
    with wire(guarded, send_buffer=4096) as connection:
        connection.head(
            b"POST", b"/api/photos", b"Content-Length: 104857600", b"Content-Type: " + MULTIPART
        )
        sent = 0
        with contextlib.suppress(ConnectionError, TimeoutError):
            while sent < 100 * 1024 * 1024:
                sent += connection.socket.send(bytes(65536))
    assert sent < 1024 * 1024 + _kernels_share()


def _kernels_share() -> int:
    """What may lie on its way between two sockets of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sender.connect(listener.getsockname())
        sender.setblocking(False)  # noqa: FBT003  the only way to say it
        lying = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                lying += sender.send(bytes(65536))
    return 4 * lying + 4 * 1024 * 1024


def test_a_refused_client_that_sends_all_reads_the_401(guarded: Site) -> None:
    """Nothing that it sends is met by a reset, although the answer has long been there."""
    body = form(photo_part(bytes(900_000)))
    with wire(guarded) as connection:
        length = b"Content-Length: %d" % len(body)
        connection.head(b"POST", b"/api/photos", length, b"Content-Type: " + MULTIPART)
        for at in range(0, len(body), 100_000):
            connection.send(body[at : at + 100_000])
            time.sleep(0.05)
        answer = connection.answer()
    assert (answer.status, answer.code) == (401, "unauthenticated")

"""Host names that are accepted, and those that are refused."""

import pytest

from support.app_server import TOKEN, AppServer, Site
from support.engine_driver import wait_until
from support.raw_http import open_connection

BEARER = {"Authorization": f"Bearer {TOKEN}"}
FOREIGN = "http://evil.example"


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"evil.example:8000",
        b"127.0.0.1.evil.example",
        b"localhost.evil.example",
        b"evil@localhost",
        b"localhost@evil.example",
        b"localhost/evil",
        b"localhost:80:80",
        b"localhost:port",
        b"localhost evil",
        b"localhost?x",
        b"localhost#x",
        b"[::1",
        b"[::2]",
        b"127.0.0.2",
        b"2130706433",
        b"",
        b"\xff",
        b"localhost,evil.example",
        b"localhost\r\nHost: localhost",
        b"evil.example\r\nHost: localhost",
    ],
)
@pytest.mark.parametrize("path", [b"/", b"/api/photos", b"/static/style.css", b"/x"])
def test_host_that_is_not_configured_is_refused(site: Site, host: bytes, path: bytes) -> None:
    with open_connection(site) as connection:
        connection.send(b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        answer = connection.answer()
    assert (answer.status, answer.code) == (400, "unknown_host")


def test_request_without_a_host_is_refused(site: Site) -> None:
    with open_connection(site) as connection:
        connection.send(b"GET /api/photos HTTP/1.0\r\n\r\n")
        answer = connection.answer()
    assert (answer.status, answer.code) == (400, "unknown_host")


@pytest.mark.parametrize("path", [b"/healthz", b"/readyz"])
@pytest.mark.parametrize(
    "lines",
    [
        b"HTTP/1.1\r\nHost: 10.0.0.7:8000",
        b"HTTP/1.1\r\nHost: evil.example",
        b"HTTP/1.1\r\nHost: a\r\nHost: b",
        b"HTTP/1.1\r\nHost: <script>",
        b"HTTP/1.1\r\nX-Forwarded-Host: evil.example\r\nHost: localhost",
        b"HTTP/1.0",
    ],
)
def test_health_is_answered_for_any_host(site: Site, path: bytes, lines: bytes) -> None:
    """Load balancers and container runtimes use the address, or send no Host at all."""

    def is_fine() -> bool:
        with open_connection(site) as connection:
            connection.send(b"GET " + path + b" " + lines + b"\r\n\r\n")
            answer = connection.answer()
        assert answer.status in {200, 503}  # engines may be slow for a moment
        return bool(answer.json() == {"status": "ok"})

    assert wait_until(is_fine)


@pytest.mark.parametrize("path", [b"/healthz/", b"//healthz", b"/healthz/../", b"/x/healthz"])
def test_paths_like_that_of_health_need_a_configured_host(site: Site, path: bytes) -> None:
    with open_connection(site) as connection:
        connection.send(b"GET " + path + b" HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        answer = connection.answer()
    assert (answer.status, answer.code) == (400, "unknown_host")


@pytest.mark.parametrize("host", [b"localhost", b"LocalHost:1234", b"127.0.0.1", b"[::1]:8000"])
def test_default_hosts_are_served(site: Site, host: bytes) -> None:
    with open_connection(site) as connection:
        connection.send(b"GET /api/photos HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        assert connection.answer().status == 200


def test_more_hosts_can_be_configured(app_server: AppServer) -> None:
    named = app_server.site(allowed_hosts=("photos.example",))
    anything = app_server.site(allowed_hosts=("*",))
    for site, host, status in (
        (named, b"photos.example", 200),
        (named, b"Photos.Example:443", 200),
        (named, b"localhost", 400),
        (anything, b"whatever.example", 200),
        (anything, b"[::1]", 200),
        (anything, b"..", 400),
        (anything, b"a..b", 400),
        (anything, b"[:::]", 400),
    ):
        with open_connection(site) as connection:
            connection.send(b"GET /docs HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
            assert connection.answer().status == status

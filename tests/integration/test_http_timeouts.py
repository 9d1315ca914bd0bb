"""Slow and endless uploads: limits on a request's time, and on the disk space of all."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from safelight.engines import EmbeddedEngines
from safelight.settings import LimitSettings
from safelight.web.http import body
from safelight.web.http.protocol import HttpProtocol
from support import pictures
from support.app_server import AppServer, Site, run_app_server, settings_for
from support.engine_driver import wait_until
from support.raw_http import MULTIPART, chunk, form, open_connection, photo_part, raw_upload

MiB = 1024 * 1024
CHUNKED = b"Transfer-Encoding: chunked"
TYPE = b"Content-Type: " + MULTIPART
BEGIN = photo_part(b"")[:-2]
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
IDLE = 2.0
"""Seconds: only for tests in which nothing more is sent."""
LONG_IDLE = 100


@pytest.fixture(scope="module")
def strict_server(
    engines: EmbeddedEngines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AppServer]:
    """A library with short timeouts, to keep the tests fast."""
    limits = LimitSettings(idle_timeout=timedelta(seconds=IDLE))
    with run_app_server(
        settings_for(engines, tmp_path_factory.mktemp("strict_server"), limits=limits)
    ) as app_server:
        yield app_server


@pytest.fixture(scope="module")
def small_server(
    engines: EmbeddedEngines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AppServer]:
    """A library with little space, and with timeouts that no test waits for."""
    limits = LimitSettings(
        max_form_bytes=64 * 1024,
        max_form_overhead=8 * 1024,
        max_direct_bytes=64 * 1024,
        max_spooled_bytes=96 * 1024,
        idle_timeout=timedelta(seconds=LONG_IDLE),
        min_rate=100,
    )
    with run_app_server(
        settings_for(engines, tmp_path_factory.mktemp("small_server"), limits=limits)
    ) as app_server:
        yield app_server


class Clock:
    """The clock by which bodies are measured."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(body, "time", made)
    return made


@pytest.fixture
def limited(
    engines: EmbeddedEngines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AppServer]:
    """A library without a minimum rate that allows each body one second."""
    limits = LimitSettings(
        idle_timeout=timedelta(seconds=LONG_IDLE), body_timeout=timedelta(seconds=1), min_rate=0
    )
    with run_app_server(
        settings_for(engines, tmp_path_factory.mktemp("limited"), limits=limits)
    ) as app_server:
        yield app_server


@pytest.fixture
def strict_site(strict_server: AppServer) -> Site:
    return strict_server.site()


def test_spool_limit_is_shared_and_the_next_upload_gets_a_503(
    small_server: AppServer,
) -> None:
    site, sent = small_server.site(), form(photo_part(bytes(60 * 1024)))
    spool, everything = small_server.library.spool, small_server.settings.limits.max_spooled_bytes
    with open_connection(site) as first:
        first.head(b"POST", b"/api/photos", TYPE, b"Content-Length: %d" % len(sent))
        first.send(sent[:-1])
        assert wait_until(lambda: spool.free_bytes < everything)
        answer = raw_upload(site, sent)
        assert (answer.status, answer.code) == (503, "busy")
        assert int(answer.headers["retry-after"]) >= 1
        first.send(sent[-1:])
        assert first.answer().status == 415
    assert raw_upload(site, sent).status == 415
    assert wait_until(lambda: spool.free_bytes == everything)


@pytest.mark.parametrize(
    ("framing", "begin"),
    [
        (b"Content-Length: 5000", b""),
        (CHUNKED, BEGIN),
        (b"Content-Length: 5000", BEGIN + b"\xff\xd8\xff"),
    ],
    ids=["no byte", "after the head", "in the data"],
)
def test_stalled_body_gets_an_error_and_the_connection_is_closed(
    strict_server: AppServer, strict_site: Site, framing: bytes, begin: bytes
) -> None:
    began = time.monotonic()
    with open_connection(strict_site) as connection:
        connection.head(b"POST", b"/api/photos", framing, TYPE)
        if begin:
            connection.send(chunk(begin) if framing == CHUNKED else begin)
        answer = connection.answer()
        assert (answer.status, answer.code) == (408, "request_timeout")
        assert connection.is_closed()
    assert time.monotonic() - began >= IDLE
    assert strict_server.rows(strict_site.owner) == []


def test_body_below_the_minimum_rate_is_refused(small_server: AppServer, clock: Clock) -> None:
    sent = form(photo_part(pictures.jpeg()))
    with open_connection(small_server.site()) as connection:
        expect, length = b"Expect: 100-continue", b"Content-Length: %d" % len(sent)
        connection.head(b"POST", b"/api/photos", TYPE, length, expect)
        assert connection.socket.recv(25) == CONTINUE  # the time has begun
        clock.now += LONG_IDLE + 1
        connection.send(sent[:50])
        answer = connection.answer()
        assert (answer.status, answer.code) == (408, "request_timeout")
        assert "too slow" in answer.json()["detail"]


def test_body_that_exceeds_the_time_limit_is_refused_although_it_never_stalls(
    limited: AppServer,
) -> None:
    sent = form(photo_part(pictures.jpeg()))
    with open_connection(limited.site()) as connection:
        connection.head(b"POST", b"/api/photos", TYPE, b"Content-Length: %d" % len(sent))
        answer = connection.dribble(sent, every=0.1)
        assert (answer.status, answer.code) == (408, "request_timeout")
        assert "too long" in answer.json()["detail"]


def test_stalled_patch_gets_an_error(strict_server: AppServer, strict_site: Site) -> None:
    id_ = strict_server.insert_photos(strict_site.owner, 1)[0]
    with open_connection(strict_site) as connection:
        json_type = b"Content-Type: application/json"
        connection.head(b"PATCH", f"/api/photos/{id_}".encode(), json_type, b"Content-Length: 50")
        answer = connection.answer()
    assert (answer.status, answer.code) == (408, "request_timeout")


def test_head_that_takes_too_long_closes_the_connection(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for begin in (b"GET /", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "):
        with open_connection(site) as connection:
            connection.head(b"GET", b"/healthz")
            assert connection.answer().status == 200
            with monkeypatch.context() as patch:
                patch.setattr(HttpProtocol, "head_seconds", 0.5)
                connection.send(begin)
                assert connection.dribble(b"x" * 1000, every=0.05).status == 408
            assert connection.is_closed()


def test_idle_connection_is_closed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_connection(site) as connection:
        connection.head(b"GET", b"/healthz")
        assert connection.answer().status == 200
        monkeypatch.setattr(HttpProtocol, "head_seconds", 0.3)
        with open_connection(site) as idle:
            assert idle.is_closed()
        connection.send(b"GET /healthz HTTP/1.1\r\nX-Slow:")
        assert connection.answer().status == 408


def test_slow_client_above_the_minimum_rate_is_served(
    small_server: AppServer, clock: Clock
) -> None:
    sent = form(photo_part(pictures.jpeg(640, 480)))
    assert len(sent) > 2 * 100 * 2 * LONG_IDLE / 4, "each quarter is enough for its time"
    with open_connection(small_server.site()) as connection:
        connection.head(b"POST", b"/api/photos", TYPE, b"Content-Length: %d" % len(sent))
        for at in range(0, len(sent), len(sent) // 4):
            connection.send(sent[at : at + len(sent) // 4])
            clock.now += 0.4 * LONG_IDLE
        assert connection.answer().status == 201

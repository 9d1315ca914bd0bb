"""What one request may cost in time, and all together on disk, whatever the client does."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

import pictures
from integration.served import House, Site, house, settings_for
from integration.wire import MULTIPART, chunk, form, photo_part, posted, wire
from safelight.engines import EmbeddedEngines
from safelight.settings import LimitSettings
from safelight.web.connection import Connection

MiB = 1024 * 1024
CHUNKED = b"Transfer-Encoding: chunked"
TYPE = b"Content-Type: " + MULTIPART
BEGIN = photo_part(b"")[:-2]
IDLE = 2.0
"""Seconds: more than a busy machine takes between two pieces that belong together."""


@pytest.fixture(scope="module")
def impatient(
    engines: EmbeddedEngines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A library that waits for nobody for long, so that tests needn't either."""
    limits = LimitSettings(
        max_form_bytes=64 * 1024,
        max_form_overhead=8 * 1024,
        max_direct_bytes=64 * 1024,
        max_spooled_bytes=96 * 1024,
        idle_timeout=timedelta(seconds=IDLE),
        min_rate=10_000,
    )
    with house(
        settings_for(engines, tmp_path_factory.mktemp("impatient"), limits=limits)
    ) as living:
        yield living


@pytest.fixture
def limited(engines: EmbeddedEngines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A library that asks for no rate, but gives a whole body a second."""
    limits = LimitSettings(
        idle_timeout=timedelta(seconds=IDLE), body_timeout=timedelta(seconds=1), min_rate=0
    )
    with house(settings_for(engines, tmp_path_factory.mktemp("limited"), limits=limits)) as living:
        yield living


@pytest.fixture
def hurried(impatient: House) -> Site:
    return impatient.site()


def test_uploads_under_way_have_a_common_limit_and_the_next_is_told_to_come_back(
    impatient: House, hurried: Site
) -> None:
    body = form(photo_part(bytes(60 * 1024)))
    with wire(hurried) as first:
        first.head(b"POST", b"/api/photos", TYPE, b"Content-Length: %d" % len(body))
        first.send(body[:-1])
        time.sleep(0.2)
        answer = posted(hurried, body)
        assert (answer.status, answer.code) == (503, "busy")
        assert int(answer.headers["retry-after"]) >= 1
        first.send(body[-1:])
        assert first.answer().status == 415
    assert posted(hurried, body).status == 415
    assert impatient.library.spool._left == impatient.settings.limits.max_spooled_bytes


@pytest.mark.parametrize(
    ("framing", "begin"),
    [
        (b"Content-Length: 5000", b""),
        (CHUNKED, BEGIN),
        (b"Content-Length: 5000", BEGIN + b"\xff\xd8\xff"),
    ],
    ids=["no byte", "after the head", "in the data"],
)
def test_a_body_that_stalls_is_told_so_and_hung_up_on(
    impatient: House, hurried: Site, framing: bytes, begin: bytes
) -> None:
    began = time.monotonic()
    with wire(hurried) as connection:
        connection.head(b"POST", b"/api/photos", framing, TYPE)
        if begin:
            connection.send(chunk(begin) if framing == CHUNKED else begin)
        answer = connection.answer()
        assert (answer.status, answer.code) == (408, "request_timeout")
        assert connection.is_closed()
    assert time.monotonic() - began >= IDLE
    assert impatient.rows(hurried.owner) == []


def test_a_client_of_a_byte_a_moment_is_told_to_hurry(hurried: Site) -> None:
    body = form(photo_part(pictures.jpeg()))
    with wire(hurried) as connection:
        connection.head(b"POST", b"/api/photos", TYPE, b"Content-Length: %d" % len(body))
        answer = connection.dribble(body[:50], every=0.1)
        assert (answer.status, answer.code) == (408, "request_timeout")
        assert "too slowly" in answer.json()["detail"]


def test_a_body_that_takes_too_long_is_given_up_although_it_never_stalls(limited: House) -> None:
    body = form(photo_part(pictures.jpeg()))
    with wire(limited.site()) as connection:
        connection.head(b"POST", b"/api/photos", TYPE, b"Content-Length: %d" % len(body))
        answer = connection.dribble(body[:50], every=0.1)
        assert (answer.status, answer.code) == (408, "request_timeout")
        assert "too long" in answer.json()["detail"]


def test_a_patch_that_stalls_is_told_so(impatient: House, hurried: Site) -> None:
    id_ = impatient.plant(hurried.owner, 1)[0]
    with wire(hurried) as connection:
        connection.head(b"PATCH", f"/api/photos/{id_}".encode(), b"Content-Length: 50")
        answer = connection.answer()
    assert (answer.status, answer.code) == (408, "request_timeout")


def test_a_head_that_takes_too_long_is_hung_up_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "head_seconds", 0.5)
    for begin in (b"GET /", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "):
        with wire(site) as connection:
            connection.send(begin)
            assert connection.dribble(b"x" * 100, every=0.05).status == 408
            assert connection.is_closed()


def test_a_connection_over_which_nothing_comes_is_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "head_seconds", 0.3)
    with wire(site) as connection:
        assert connection.is_closed()
    with wire(site) as connection:
        connection.head(b"GET", b"/healthz")
        assert connection.answer().status == 200
        connection.send(b"GET /healthz HTTP/1.1\r\nX-Slow:")
        assert connection.answer().status == 408


def test_a_slow_client_that_is_quick_enough_is_served(hurried: Site) -> None:
    body = form(photo_part(pictures.jpeg(640, 480)))
    with wire(hurried) as connection:
        connection.head(b"POST", b"/api/photos", TYPE, b"Content-Length: %d" % len(body))
        for at in range(0, len(body), len(body) // 4):
            connection.send(body[at : at + len(body) // 4])
            time.sleep(0.4 * IDLE)
        assert connection.answer().status == 201

"""Limits on the bytes of a request: received, in memory and on disk."""

import http.client
import threading
from pathlib import Path
from typing import Self

import psutil
import pytest

from safelight.web.http.protocol import MAX_HEAD
from support import pictures
from support.app_server import AppServer, Site
from support.raw_http import (
    MULTIPART,
    chunk,
    field,
    form,
    open_connection,
    part,
    photo_part,
    raw_upload,
)

MiB = 1024 * 1024
CHUNKED = b"Transfer-Encoding: chunked"
TYPE = b"Content-Type: " + MULTIPART
BEGIN = photo_part(b"")[:-2]


@pytest.mark.parametrize("round_", range(20))
@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_client_that_sends_one_byte_too_many_can_read_the_413(
    site: Site,
    chunked: bool,  # noqa: FBT001  a parameter of pytest's
    round_: int,
) -> None:
    body = form(photo_part(bytes(5 * MiB + 1)))
    if chunked:
        with open_connection(site) as connection:
            connection.head(b"POST", b"/api/photos", CHUNKED, TYPE)
            answer, _ = connection.pour([chunk(body), b"0\r\n\r\n"])
    else:
        answer = raw_upload(site, body)
    assert (answer.status, answer.code) == (413, "too_large")


@pytest.mark.parametrize("round_", range(10))
def test_client_that_reads_only_after_sending_gets_the_413(site: Site, round_: int) -> None:
    body = form(photo_part(bytes(5 * MiB + 1)))
    connection = http.client.HTTPConnection(site.host, site.port, timeout=120)
    try:
        connection.request("POST", "/api/photos", body, {"Content-Type": MULTIPART.decode()})
        assert connection.getresponse().status == 413
    finally:
        connection.close()


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_body_of_1_gib_is_refused_without_using_memory_or_disk(
    app_server: AppServer,
    site: Site,
    chunked: bool,  # noqa: FBT001  a parameter of pytest's
) -> None:
    with ResourceMonitor(app_server) as peak, open_connection(site) as connection:
        framing = CHUNKED if chunked else b"Content-Length: %d" % (1024 * MiB)
        connection.head(b"POST", b"/api/photos", framing, TYPE)
        piece = bytes(256 * 1024)
        wrapped = chunk(piece) if chunked else piece
        begin = chunk(BEGIN) if chunked else BEGIN
        answer, sent = connection.pour([begin, *[wrapped] * 4096])
    assert (answer.status, answer.code) == (413, "too_large")
    assert sent < 64 * MiB
    assert peak.memory < 48 * MiB
    assert peak.disk <= 5 * MiB
    assert app_server.library.spool.free_bytes == app_server.settings.limits.max_spooled_bytes


class ResourceMonitor:
    """Records the peak of this process's memory growth and of the bytes in its spool."""

    def __init__(self, app_server: AppServer) -> None:
        self._spool = str(app_server.settings.data_dir / "spool")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.memory = 0
        self.disk = 0

    def __enter__(self) -> Self:
        self._before = psutil.Process().memory_info().rss
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(0.01):
            self.memory = max(self.memory, psutil.Process().memory_info().rss - self._before)
            self.disk = max(self.disk, self._spooled())

    def _spooled(self) -> int:
        total = 0
        for descriptor in Path("/proc/self/fd").iterdir():
            try:
                if str(descriptor.readlink()).startswith(self._spool):
                    total += descriptor.stat().st_size
            except OSError:
                continue
        return total


def test_text_field_of_100_mb_is_refused(app_server: AppServer, site: Site) -> None:
    with ResourceMonitor(app_server) as peak, open_connection(site) as connection:
        connection.head(b"POST", b"/api/photos", CHUNKED, TYPE)
        begin = chunk(field(b"description", b"")[:-2])
        answer, _ = connection.pour([begin, *[chunk(b"d" * 65536)] * 1600])
    assert (answer.status, answer.code) == (413, "too_large")
    assert peak.memory < 48 * MiB
    assert peak.disk == 0


@pytest.mark.parametrize("what", ["name", "value", "preamble", "epilogue", "parts", "filename"])
def test_part_header_of_1_mb_is_refused(site: Site, what: str) -> None:
    lots = b"x" * MiB
    body = {
        "name": form(part(lots + b": x", b"x")),
        "value": form(part(b"X-Header: " + lots, b"x")),
        "filename": form(photo_part(pictures.jpeg(), lots)),
        "preamble": lots + form(photo_part(pictures.jpeg())),
        "epilogue": form(photo_part(pictures.jpeg())) + lots,
        "parts": form(*[field(b"x", b"y")] * 20_000),
    }[what]
    answer = raw_upload(site, body)
    assert (answer.status, answer.code) in {(413, "too_large"), (422, "invalid_request")}
    assert raw_upload(site, form(photo_part(pictures.jpeg()))).status == 201


@pytest.mark.parametrize("size", [MAX_HEAD + 1, MiB, 3 * MiB])
@pytest.mark.parametrize("what", ["header", "headers", "name", "path"])
def test_request_header_of_1_mb_is_refused(site: Site, size: int, what: str) -> None:
    head = {
        "header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * size,
        "headers": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X-Y: z\r\n" * (size // 8),
        "name": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"x" * size + b": x",
        "path": b"GET /" + b"x" * size + b" HTTP/1.1\r\nHost: localhost",
    }[what]
    with open_connection(site) as connection:
        answer, _ = connection.pour([head, b"\r\n\r\n"])
        assert answer.status == 431
        assert connection.is_closed()


def test_head_within_the_limit_is_served(site: Site) -> None:
    line = b"X-Long: " + b"x" * (MAX_HEAD - 200)
    with open_connection(site) as connection:
        for _ in range(3):  # the limit is per request, not per connection
            connection.head(b"GET", b"/healthz", line)
            assert connection.answer().status == 200


def test_body_in_the_same_packet_as_the_head_is_served(site: Site) -> None:
    body = form(photo_part(pictures.jpeg(640, 480)))
    with open_connection(site) as connection:
        answer = connection.post(body, b"X-Long: " + b"x" * (MAX_HEAD - 400))
        assert answer.status == 201
        connection.head(b"GET", b"/healthz")
        connection.head(b"GET", b"/api/photos")
        assert connection.answer().json() == {"status": "ok"}
        assert len(connection.answer().json()) == 1

"""Each request has an id: in its response, in the log, and in the jobs that it enqueues."""

import json
import logging
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest

from safelight.imaging import presets
from safelight.library.processing.renditions import RenditionMaker
from safelight.models import ImageFacts, Preset
from safelight.server.logging import EACH_LOGGER, JsonFormatter
from support import pictures
from support.app_server import Site
from support.raw_http import raw_request

MADE = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize(
    "id_", ["12345678", "a" * 128, "0b7e4c1e-6f0a-4c5e-9d55-0123456789ab", "A._-b123"]
)
def test_request_id_of_the_client_is_returned(client: httpx.Client, id_: str) -> None:
    answer = client.get("/api/photos", headers={"X-Request-Id": id_})
    assert answer.headers.get_list("x-request-id") == [id_]


def test_each_request_without_an_id_gets_a_new_one(client: httpx.Client) -> None:
    ids = [client.get("/healthz").headers["x-request-id"] for _ in range(50)]
    assert len(set(ids)) == 50
    assert all(map(MADE.fullmatch, ids))


@pytest.mark.parametrize(
    "lines",
    [
        (b"X-Request-Id: ",),
        (b"X-Request-Id: short",),
        (b"X-Request-Id: " + b"a" * 129,),
        (b"X-Request-Id: " + b"a" * 10_000,),
        (b"X-Request-Id: two words",),
        (b"X-Request-Id: with\ttab-in-it",),
        (b"X-Request-Id: forged\\nline",),
        (b"X-Request-Id: request-\xc3\xa9\xff",),
        (b"X-Request-Id: 12345678\x85",),
        (b'X-Request-Id: {"level":"error"}',),
        (b"X-Request-Id: <script>",),
        (b"X-Request-Id: a%0d%0aInjected: 1",),
        (b"X-Request-Id: first-of-two", b"X-Request-Id: second-of-two"),
    ],
)
def test_invalid_request_id_is_replaced(site: Site, lines: tuple[bytes, ...]) -> None:
    answer = raw_request(site, b"GET", b"/healthz", *lines)
    assert answer.status == 200
    assert MADE.fullmatch(answer.headers["x-request-id"])


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("PUT", "/api/photos", {}, 405),
        ("GET", "/api/photos", {}, 401),
        ("GET", "/api/photos", {"Host": "evil.example"}, 400),
        ("HEAD", "/healthz", {}, 200),
        ("GET", "/static/icon.svg", {}, 200),
        ("POST", "/api/photos", {"Origin": "http://evil.example"}, 401),
    ],
)
def test_error_responses_have_a_request_id(
    guarded: Site, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    with guarded.client() as client:
        answer = client.request(method, path, headers={"X-Request-Id": "refused-1", **headers})
    assert answer.status_code == status
    assert answer.headers["x-request-id"] == "refused-1"


def test_cross_origin_pages_can_read_the_request_id(client: httpx.Client, site: Site) -> None:
    origin = site.settings.origins[0]
    answer = client.get("/api/photos", headers={"Origin": origin})
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """The log entries of each request and job, as JSON objects."""
    kept: list[dict[str, Any]] = []
    handler = _ListHandler(kept)
    handler.setFormatter(JsonFormatter())
    each = logging.getLogger(EACH_LOGGER)
    each.addHandler(handler)
    each.setLevel(logging.INFO)
    yield kept
    each.removeHandler(handler)
    each.setLevel(logging.NOTSET)


class _ListHandler(logging.Handler):
    def __init__(self, kept: list[dict[str, Any]]) -> None:
        super().__init__()
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append(json.loads(self.format(record)))


def test_request_and_its_job_are_logged_with_the_same_id(
    client: httpx.Client, lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def choose_narrowest(
        maker: RenditionMaker, facts: ImageFacts, *, is_large: bool
    ) -> Sequence[Preset]:
        del is_large
        return presets.presets_for_image(maker.ladder, facts)[:1]

    # The others need a job.
    monkeypatch.setattr(RenditionMaker, "choose_at_upload", choose_narrowest)
    id_ = f"with-a-job-{uuid4().hex}"
    files = {"photo": pictures.jpeg(1600, 1200)}
    added = client.post("/api/photos", files=files, headers={"X-Request-Id": id_})
    assert added.status_code == 201
    deadline = time.monotonic() + 120
    while len(about := [line for line in lines if line.get("request_id") == id_]) < 2:
        assert time.monotonic() < deadline, "the photo was not rendered in time"
        time.sleep(0.02)
    request, job = sorted(about, key=lambda line: "task" in line)
    assert (request["method"], request["route"], request["status"]) == ("POST", "/api/photos", 201)
    assert (job["task"], job["outcome"]) == ("develop", "done")


def test_request_is_logged_without_its_query(
    client: httpx.Client, lines: list[dict[str, Any]]
) -> None:
    for path in ("/sign-in?code=hush", "/hush/hush", "/api/photos/1/hush", "/docs/hush"):
        client.get(path)
    # Jobs of earlier tests may end meanwhile.
    assert len([line for line in lines if "method" in line]) == 4
    assert "hush" not in json.dumps(lines)

"""`safelight serve` with a JSON log and a trace collector."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import pictures
from support.fork_server import Process
from support.network import free_port
from support.otlp import Collector, attributes, run_collector
from support.serve_process import ServeProcess

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
UPLOAD = "the-upload-1"


@dataclass
class Session:
    """A server's log and traces, and the secrets that must not be in them."""

    log: str
    collector: Collector
    secrets: dict[str, str]
    lines: list[dict[str, Any]] = field(default_factory=list)


class _Reader(threading.Thread):
    def __init__(self, process: Process) -> None:
        super().__init__(daemon=True)
        self._process = process
        self.log = ""

    def run(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self.log += line.decode()


def _start(folder: Path, collector: str) -> tuple[ServeProcess, _Reader]:
    port = free_port()
    served = ServeProcess(folder, url=f"http://127.0.0.1:{port}")
    served.process = served.spawn(
        SAFELIGHT_PORT=str(port),
        SAFELIGHT_LOG__FORMAT="json",
        SAFELIGHT_METRICS__TOKEN="a-token-for-prometheus",
        SAFELIGHT_TRACES__ENDPOINT_URL=collector,
        SAFELIGHT_RENDITIONS__PRESETS="w1280 1280 later",  # so that an upload needs a job
    )
    reader = _Reader(served.process)
    reader.start()
    deadline = time.monotonic() + 180
    while not served.is_ready():
        assert served.process.poll() is None, reader.log
        assert time.monotonic() < deadline, reader.log
        time.sleep(0.1)
    return served, reader


def _use_everything(served: ServeProcess) -> dict[str, str]:
    """Send requests of every kind, and return the secrets that they contained."""
    wrong = {"Authorization": "Bearer a-wrong-token-for-this"}
    with served.client() as client:
        added = client.post(
            "/api/photos",
            files={"photo": ("holiday-in-secret.jpg", pictures.jpeg(1600, 1200))},
            data={"title": "title-in-secret"},
            headers={"X-Request-Id": UPLOAD, "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
        )
        assert added.status_code == 201, added.text
        photo = added.json()
        client.post("/api/photos", files={"photo": ("broken-in-secret.jpg", b"\xff\xd8\xff no")})
        client.post("/api/photos", content=b"nonsense")
        client.get("/api/photos")
        client.get(f"/api/photos/{photo['id']}/original")
        client.get("/path-in-secret", params={"X-Amz-Signature": "queried-in-secret"})
        client.patch(f"/api/photos/{photo['id']}", json={"title": "title-in-secret"})
        client.get("/metrics", headers={"Authorization": "Bearer a-token-for-prometheus"})
        _wait_until_rendered(client)
        client.delete(f"/api/photos/{photo['id']}?permanent=true")
    with httpx.Client(base_url=served.url) as browser:
        browser.get("/api/photos", headers=wrong)
        browser.get("/sign-in", params={"code": "code-in-secret"})
        wrong = {"code": "code-in-secret"}
        browser.post("/sign-in", data=wrong, headers={"Origin": served.url})
        browser.post("/sign-in", data={"token": served.token}, headers={"Origin": served.url})
        browser.get("/")
        cookies = dict(browser.cookies)
        assert cookies
    return {
        "token": served.token,
        "metrics token": "a-token-for-prometheus",
        "wrong token": "a-wrong-token",
        "signature": "X-Amz-Signature",
        "presigned": httpx.URL(photo["photo_url"]).params["X-Amz-Signature"],
        "names": "in-secret",
        "session": next(iter(cookies.values())),
    }


def _wait_until_rendered(client: httpx.Client) -> None:
    deadline = time.monotonic() + 120
    while client.get("/api/jobs", params={"task": "develop"}).json()["oldest"]:
        assert time.monotonic() < deadline, "the photo was not rendered in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def session(open_tmp_path: Path) -> Iterator[Session]:
    with run_collector() as collector:
        served, reader = _start(open_tmp_path / "observed", collector.url)
        try:
            secrets = _use_everything(served)
        finally:
            served.stop()
            reader.join(120)
        lines = [json.loads(line) for line in reader.log.splitlines()]
        yield Session(reader.log, collector, secrets, lines)


def test_every_log_line_is_a_json_object(session: Session) -> None:
    assert session.lines
    for line in session.lines:
        assert {"time", "level", "logger", "message"} <= line.keys()


def test_log_says_ready_and_has_no_sign_in_link(session: Session) -> None:
    assert [line["host"] for line in session.lines if line["message"] == "ready"] == ["127.0.0.1"]
    assert "code=" not in session.log


def test_log_and_traces_contain_no_secrets(session: Session) -> None:
    output = session.log + session.collector.raw.decode("latin-1")
    assert {name for name, secret in session.secrets.items() if secret in output} == set()


def test_request_and_its_job_share_an_id(session: Session) -> None:
    lines = [line for line in session.lines if line.get("request_id") == UPLOAD]
    request, job = sorted(lines, key=lambda line: str(line["message"]), reverse=True)
    assert (request["message"], request["status"]) == ("request", 201)
    assert (job["message"], job["task"], job["outcome"]) == ("job", "develop", "done")


def _upload(collector: Collector) -> Any:
    spans = collector.named("POST /api/photos")
    return next(span for span in spans if attributes(span)["safelight.request_id"] == UPLOAD)


def test_request_span_continues_the_clients_trace(session: Session) -> None:
    span = _upload(session.collector)
    assert span.trace_id.hex() == TRACE
    assert attributes(span)["http.route"] == "/api/photos"
    assert session.collector.services == {"safelight"}


def test_request_span_contains_catalog_store_and_darkroom_spans(session: Session) -> None:
    steps = {span.name for span in session.collector.below(_upload(session.collector))}
    expected = {"catalog transaction", "storage put", "darkroom wait", "darkroom work"}
    assert expected <= steps


def test_job_span_has_the_id_of_its_request(session: Session) -> None:
    (job,) = session.collector.named("job develop")
    assert attributes(job)["safelight.request_id"] == UPLOAD
    assert {"storage get", "storage put", "darkroom work"} <= {
        span.name for span in session.collector.below(job)
    }


def test_unreachable_collector_has_no_effect(open_tmp_path: Path) -> None:
    served, reader = _start(open_tmp_path / "unobserved", f"http://127.0.0.1:{free_port()}")
    try:
        with served.client() as client:
            response = client.post("/api/photos", files={"photo": pictures.jpeg(300, 200)})
            assert response.status_code == 201
    finally:
        served.stop()
        reader.join(120)
    assert served.process is not None
    assert served.process.returncode == 0

"""`safelight serve` with a log in JSON and a collector: a busy session, seen from outside."""

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

import pictures
from acceptance.collector import Collector, collecting, facts
from acceptance.served import Served

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
UPLOAD = "the-upload-1"


@dataclass
class Session:
    """What a server told of a session, and what must not be in it."""

    said: str
    collector: Collector
    secrets: dict[str, str]
    lines: list[dict[str, Any]] = field(default_factory=list)


class _Reader(threading.Thread):
    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self.said = ""

    def run(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self.said += line


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _started(folder: Path, collector: str) -> tuple[Served, _Reader]:
    port = _free_port()
    served = Served(folder, url=f"http://127.0.0.1:{port}")
    served.process = served.spawn(
        SAFELIGHT_PORT=str(port),
        SAFELIGHT_LOG__FORMAT="json",
        SAFELIGHT_METRICS__TOKEN="a-token-for-prometheus",
        SAFELIGHT_TRACES__ENDPOINT_URL=collector,
    )
    reader = _Reader(served.process)
    reader.start()
    deadline = time.monotonic() + 60
    while not served.is_ready():
        assert served.process.poll() is None, reader.said
        assert time.monotonic() < deadline, reader.said
        time.sleep(0.1)
    return served, reader


def _busy(served: Served) -> dict[str, str]:
    """Do all that there is to do, and name the secrets that were in it."""
    wrong = {"Authorization": "Bearer a-wrong-token-of-somebody"}
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
        _until_developed(client)
        client.delete(f"/api/photos/{photo['id']}")
    with httpx.Client(base_url=served.url) as stranger:
        stranger.get("/api/photos", headers=wrong)
        stranger.get("/sign-in", params={"code": "code-in-secret"})
        stranger.post("/sign-in", data={"token": served.token}, headers={"Origin": served.url})
        stranger.get("/")
        cookies = dict(stranger.cookies)
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


def _until_developed(client: httpx.Client) -> None:
    deadline = time.monotonic() + 20
    while client.get("/api/jobs", params={"task": "develop"}).json()["oldest"]:
        assert time.monotonic() < deadline, "the photo is not developed"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def session(open_tmp_path: Path) -> Iterator[Session]:
    with collecting() as collector:
        served, reader = _started(open_tmp_path / "observed", collector.url)
        try:
            secrets = _busy(served)
        finally:
            served.stop()
            reader.join(30)
        lines = [json.loads(line) for line in reader.said.splitlines()]
        yield Session(reader.said, collector, secrets, lines)


def test_every_line_is_an_object(session: Session) -> None:
    assert session.lines
    for line in session.lines:
        assert {"time", "level", "logger", "message"} <= line.keys()


def test_it_says_that_it_is_ready_and_shows_no_link_to_sign_in(session: Session) -> None:
    assert [line["host"] for line in session.lines if line["message"] == "ready"] == ["127.0.0.1"]
    assert "code=" not in session.said


def test_nothing_secret_is_told(session: Session) -> None:
    told = session.said + session.collector.raw.decode("latin-1")
    assert {name for name, secret in session.secrets.items() if secret in told} == set()


def test_a_request_and_its_job_have_one_id(session: Session) -> None:
    about = [line for line in session.lines if line.get("request_id") == UPLOAD]
    assert [line["message"] for line in about] == ["request", "job"]
    assert about[0]["status"] == 201
    assert (about[1]["task"], about[1]["outcome"]) == ("develop", "done")


def _upload(collector: Collector) -> Any:  # noqa: ANN401  a message that protobuf made
    spans = collector.named("POST /api/photos")
    return next(span for span in spans if facts(span)["safelight.request_id"] == UPLOAD)


def test_a_span_of_a_request_goes_on_with_its_clients_trace(session: Session) -> None:
    span = _upload(session.collector)
    assert span.trace_id.hex() == TRACE
    assert facts(span)["http.route"] == "/api/photos"
    assert session.collector.services == {"safelight"}


def test_below_a_request_are_the_catalog_the_store_and_the_darkroom(session: Session) -> None:
    steps = {span.name for span in session.collector.below(_upload(session.collector))}
    wanted = {"catalog transaction", "storage put", "darkroom wait", "darkroom work"}
    assert wanted <= steps


def test_a_job_has_a_trace_that_leads_to_its_request(session: Session) -> None:
    (job,) = session.collector.named("job develop")
    assert facts(job)["safelight.request_id"] == UPLOAD
    assert {"storage get", "storage put", "darkroom work"} <= {
        span.name for span in session.collector.below(job)
    }


def test_a_collector_that_is_away_costs_nobody_anything(open_tmp_path: Path) -> None:
    served, reader = _started(open_tmp_path / "unobserved", f"http://127.0.0.1:{_free_port()}")
    try:
        with served.client() as client:
            answer = client.post("/api/photos", files={"photo": pictures.jpeg(300, 200)})
            assert answer.status_code == 201
    finally:
        served.stop()
        reader.join(30)
    assert served.process is not None
    assert served.process.returncode == 0

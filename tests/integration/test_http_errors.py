"""Unexpected errors: a complete response each time, and one traceback for each cause."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from starlette.responses import StreamingResponse

from safelight import errors
from safelight.web import error_log
from support.app_server import ORIGIN, AppServer, Site

PAGES_OF_OTHERS = {"Origin": ORIGIN}


async def _fail() -> None:
    raise RuntimeError("the secret is hunter2")


async def _fail_otherwise() -> None:
    raise RuntimeError("another line")


async def _fail_by_a_cause() -> None:
    try:
        await _fail()
    except RuntimeError as error:
        raise errors.EngineError("in /home/me") from error


async def _be_cancelled() -> None:
    raise asyncio.CancelledError


async def _fail_midway() -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        yield b"the first half"
        raise RuntimeError("no second half")

    return StreamingResponse(body())


@pytest.fixture(scope="module")
def failing(app_server: AppServer) -> Site:
    site = app_server.site()
    for handler in (_fail, _fail_otherwise, _fail_by_a_cause, _be_cancelled, _fail_midway):
        site.app.add_api_route(f"/{handler.__name__}", handler)
    return site


@pytest.fixture
def client(failing: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    error_log._known.clear()
    with failing.client() as client:
        yield client


def _errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/_fail", 500), ("/_fail_by_a_cause", 500), ("/_be_cancelled", 503)],
)
def test_failed_request_has_all_headers(client: httpx.Client, path: str, status: int) -> None:
    answer = client.get(path, headers={"X-Request-Id": "unexpected-1", **PAGES_OF_OTHERS})
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    assert answer.headers["x-request-id"] == "unexpected-1"
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "hunter2" not in answer.text


def test_failed_request_of_a_browser_is_a_page(client: httpx.Client) -> None:
    answer = client.get("/_fail", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert "Something went wrong" in answer.text
    assert "hunter2" not in answer.text


def test_each_cause_is_logged_with_one_traceback(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        for path in ("/_fail", "/_fail_otherwise", "/_fail_by_a_cause"):
            client.get(path, headers={"X-Request-Id": f"request-{number}"})
    logged = _errors(caplog)
    assert [bool(record.exc_info) for record in logged] == [True] * 3 + [False] * 6
    assert "hunter2" not in "".join(record.getMessage() for record in logged)
    last = logged[-1].getMessage()
    assert "EngineError in test_http_errors.py:" in last
    assert "3 times; the traceback is at the first, of request request-0" in last
    assert "\n" not in last


def test_failure_within_a_response_closes_the_connection(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/_fail_midway")
    ours = [record for record in _errors(caplog) if record.name == error_log.__name__]
    assert [bool(record.exc_info) for record in ours] == [True, False]
    assert not any(record.exc_info for record in _errors(caplog) if record not in ours)


def test_preflight_allows_the_documented_headers(client: httpx.Client) -> None:
    names = "authorization, content-type, if-none-match, x-request-id, traceparent, tracestate"
    answer = client.options(
        "/api/photos",
        headers={
            **PAGES_OF_OTHERS,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": names,
        },
    )
    assert answer.status_code == 200
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert set(names.split(", ")) <= set(allowed)

"""Clients' changes to sessions and photos are in the security log, with their addresses."""

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support import pictures
from support.app_server import TOKEN, AppServer, Site

FORGED = "x\u2028 WARNING security event=token_rejected address=198.51.100.1"
HEADERS = {
    "X-Forwarded-For": "198.51.100.1 x, 203.0.113.9",
    "X-Request-Id": "security event=throttled",
    "User-Agent": FORGED.encode(),
}


@pytest.fixture
def site(app_server: AppServer) -> Site:
    made = app_server.site(auth="token")
    made.app.state.authenticator._throttle._clock = lambda: 1000.0  # attempts are never too slow
    return made


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with site.client(headers=HEADERS | {"Origin": site.url}) as client:
        yield client


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.INFO, "safelight.security")
    with caplog.filtering(logging.Filter("safelight.security")):
        yield caplog


def _facts(events: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the facts of all events, which come from one client, without its address."""
    found: list[dict[str, Any]] = [vars(record)["facts"] for record in events.records]
    assert {each["address"] for each in found} == {"203.0.113.9"}
    return [{name: value for name, value in each.items() if name != "address"} for each in found]


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_browsers_events_are_logged(
    client: httpx.Client, site: Site, app_server: AppServer, events: pytest.LogCaptureFixture
) -> None:
    client.post("/sign-in", data={"token": "wrong"})
    client.post("/sign-in", data={"code": "wrong"})
    client.post("/sign-in", data={"token": TOKEN})
    code = app_server.do(site.app.state.authenticator.create_sign_in_code())
    client.get("/sign-in", params={"code": code})
    client.post("/sign-in", data={"code": code})
    file = {"photo": ("holiday.jpg", pictures.jpeg(300, 200))}
    id_ = client.post("/api/photos", files=file).json()["id"]
    client.post(f"/simple-upload/{id_}/delete")
    client.post(f"/simple-upload/{id_}/delete")
    (cookie,) = client.cookies
    client.post("/sign-out")
    client.cookies.set(cookie, "made-up")
    client.post("/sign-out")
    assert _facts(events) == [
        {"event": "sign_in_failed"},
        {"event": "sign_in_failed"},
        {"event": "signed_in"},
        {"event": "signed_in"},
        {"event": "photo_trashed", "photo": id_},
        {"event": "signed_out"},
    ]


def test_a_programs_events_are_logged(
    client: httpx.Client, events: pytest.LogCaptureFixture
) -> None:
    for path in ("/api/photos", "/metrics"):
        client.get(path, headers=_bearer("wrong"))
    file = {"photo": ("holiday.jpg", pictures.jpeg(300, 201))}
    id_ = client.post("/api/photos", files=file, headers=_bearer(TOKEN)).json()["id"]
    for _ in range(2):
        client.delete(f"/api/photos/{id_}", headers=_bearer(TOKEN))
    for apply in ("false", "true"):
        parameters = {"apply": apply, "undo": "true"}
        client.post("/api/reconcile", params=parameters, headers=_bearer(TOKEN))
    assert _facts(events) == [
        {"event": "token_rejected"},
        {"event": "token_rejected"},
        {"event": "photo_trashed", "photo": id_},
        {"event": "reconcile_applied"},
    ]


def test_revoked_session_is_logged(client: httpx.Client, events: pytest.LogCaptureFixture) -> None:
    client.post("/sign-in", data={"token": TOKEN})
    session = next(each for each in client.get("/api/sessions").json() if each["current"])
    for _ in range(2):
        client.delete(f"/api/sessions/{session['id']}", headers=_bearer(TOKEN))
    assert _facts(events)[1:] == [{"event": "session_revoked", "session": session["id"]}]


def test_throttled_attempts_are_logged(
    client: httpx.Client, events: pytest.LogCaptureFixture
) -> None:
    for _ in range(12):
        client.get("/api/photos", headers=_bearer("wrong"))
    assert [each["event"] for each in _facts(events)] == ["token_rejected"] * 10 + ["throttled"] * 2
    assert all(record.levelno == logging.WARNING for record in events.records)

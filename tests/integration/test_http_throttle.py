"""Failed sign-ins are throttled; correct secrets are accepted whatever failed before."""

from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr

from safelight.settings import MetricsSettings
from support.app_server import TOKEN, AppServer, Site

METRICS_TOKEN = "only-for-the-metrics"
WRONG = {"Authorization": "Bearer wrong"}
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
ALL_FAIL = [401] * 10 + [429] * 2


@pytest.fixture
def site(app_server: AppServer) -> Site:
    metrics = MetricsSettings(token=SecretStr(METRICS_TOKEN))
    made = app_server.site(auth="token", metrics=metrics)
    made.app.state.authenticator._throttle._clock = lambda: 1000.0  # attempts are never too slow
    return made


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with site.client(headers={"Origin": site.url}) as client:
        yield client


def _exhaust(client: httpx.Client) -> httpx.Response:
    responses = [client.get("/api/photos", headers=WRONG) for _ in ALL_FAIL]
    assert [response.status_code for response in responses] == ALL_FAIL
    return responses[-1]


def test_wrong_tokens_are_throttled(client: httpx.Client) -> None:
    response = _exhaust(client)
    assert response.json()["code"] == "too_many_attempts"
    assert 1 <= int(response.headers["retry-after"]) <= 6


def test_correct_secrets_are_accepted_after_wrong_ones(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    with site.client(headers={"Origin": site.url}) as signed_in:
        assert signed_in.post("/sign-in", data={"token": TOKEN}).status_code == 303
        _exhaust(client)
        assert signed_in.get("/api/photos").status_code == 200
        assert signed_in.get("/api/photos", headers=WRONG).status_code == 200
    assert client.get("/api/photos", headers=RIGHT).status_code == 200
    assert client.post("/sign-in", data={"token": TOKEN}).status_code == 303
    metrics = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    assert client.get("/metrics", headers=metrics).status_code == 200
    client.cookies.clear()
    code = app_server.do(site.app.state.authenticator.create_sign_in_code())
    assert client.post("/sign-in", data={"code": code}).status_code == 303


@pytest.mark.parametrize("way", ["api", "metrics", "form", "link", "malformed link"])
def test_every_way_to_guess_uses_the_same_budget(client: httpx.Client, way: str) -> None:
    def attempt() -> httpx.Response:
        if way == "form":
            return client.post("/sign-in", data={"token": "wrong"})
        if "link" in way:
            code = "x" * (9 if way == "malformed link" else 32)
            return client.post("/sign-in", data={"code": code})
        return client.get("/metrics" if way == "metrics" else "/api/photos", headers=WRONG)

    assert [attempt().status_code for _ in ALL_FAIL] == ALL_FAIL
    assert client.get("/api/photos", headers=WRONG).status_code == 429


def test_a_throttled_person_can_enter_the_correct_token(client: httpx.Client) -> None:
    _exhaust(client)
    response = client.post("/sign-in", data={"token": "wrong"})
    assert response.status_code == 429
    assert "Too many failed sign-ins" in response.text
    assert 'name="token"' in response.text


def test_requests_without_a_token_are_not_counted(client: httpx.Client) -> None:
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Basic eA=="}):
        assert {client.get("/api/photos", headers=headers).status_code for _ in range(8)} == {401}
    assert client.get("/api/photos", headers=WRONG).status_code == 401


@pytest.mark.parametrize(
    "forwarded",
    ["2001:db8::{0}", "203.0.113.9:{0}", "garbage-{0}", "{0}" * 20_000],
    ids=["IPv6", "port", "garbage", "long"],
)
def test_forwarded_text_gives_no_further_attempts(client: httpx.Client, forwarded: str) -> None:
    statuses = [
        client.get(
            "/api/photos", headers=WRONG | {"X-Forwarded-For": forwarded.format(number)}
        ).status_code
        for number in range(100, 112)
    ]
    assert statuses == ALL_FAIL


def test_many_forwarded_addresses_have_a_total_budget(client: httpx.Client) -> None:
    statuses = [
        client.get(
            "/api/photos", headers=WRONG | {"X-Forwarded-For": f"203.0.113.{number}"}
        ).status_code
        for number in range(1, 41)
    ]
    assert statuses == [401] * 20 + [429] * 20

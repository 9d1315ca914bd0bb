"""Signing in: by a link that opens once, by the token; and how sessions end."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from integration.served import House, Site
from safelight.catalog.sessions import UNUSED, Sessions
from safelight.engines import EmbeddedEngines
from safelight.web import create_app
from safelight.web.attempts import Attempts
from safelight.web.visitors import CODE_LASTS, Visitors

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Tokens:
    """A token that can be rotated."""

    def __init__(self) -> None:
        self.now = "the-first-token-0123456789"

    def __call__(self) -> str:
        return self.now


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def site(a_house: House, tokens: Tokens) -> Site:
    """A site that asks for a token."""
    settings = a_house.settings.model_copy(update={"auth": "token"})
    return a_house.serve(create_app(a_house.library, settings, token=tokens), settings)


@pytest.fixture
def visitors(site: Site) -> Visitors:
    found: Visitors = site.app.state.visitors
    return found


@pytest.fixture
def browser(site: Site) -> Iterator[httpx.Client]:
    with site.client(headers={"Origin": site.url}) as client:
        yield client


@pytest.fixture
def sessions(a_house: House) -> Sessions:
    return a_house.library.parts.catalog.sessions


def _bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.now}"}


def test_a_sign_in_link_opens_once_and_leaves_no_code_behind(
    a_house: House, visitors: Visitors, browser: httpx.Client, site: Site
) -> None:
    code = a_house.do(visitors.invite())
    answer = browser.get("/sign-in", params={"code": code})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get("/api/photos").status_code == 200
    with site.client() as other:
        assert other.get("/sign-in", params={"code": code}).status_code == 401
        assert other.get("/api/photos").status_code == 401


def test_a_code_that_never_was_signs_nobody_in(browser: httpx.Client) -> None:
    answer = browser.get("/sign-in", params={"code": "nonsense"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_looking_at_a_sign_in_link_does_not_use_it_up(
    a_house: House, visitors: Visitors, browser: httpx.Client
) -> None:
    code = {"code": a_house.do(visitors.invite())}
    assert "set-cookie" not in browser.head("/sign-in", params=code).headers
    picture = {"Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "cross-site"}
    assert "set-cookie" not in browser.get("/sign-in", params=code, headers=picture).headers
    opened = {"Sec-Fetch-Dest": "document"}
    assert "set-cookie" in browser.get("/sign-in", params=code, headers=opened).headers


def test_wrong_codes_lock_nobody_out(browser: httpx.Client, tokens: Tokens) -> None:
    for _ in range(15):
        assert browser.get("/sign-in", params={"code": "x"}).status_code == 401
    assert browser.get("/api/photos", headers=_bearer(tokens)).status_code == 200


def test_a_page_is_not_kept_for_after_signing_out(browser: httpx.Client, tokens: Tokens) -> None:
    browser.post("/sign-in", data={"token": tokens.now})
    assert browser.get("/").headers["cache-control"] == "no-store"


def test_a_sign_in_link_gets_too_old(a_house: House, sessions: Sessions) -> None:
    a_house.do(sessions.issue_code("old", issuer="i", expires_at=NOW + CODE_LASTS))
    late = NOW + CODE_LASTS
    assert not a_house.do(sessions.redeem_code("old", issuer="i", now=late))
    early = late - timedelta(seconds=1)
    assert a_house.do(sessions.redeem_code("old", issuer="i", now=early))


def test_the_cookie_is_not_the_token_and_out_of_reach_of_scripts(
    a_house: House, visitors: Visitors, browser: httpx.Client, tokens: Tokens
) -> None:
    code = a_house.do(visitors.invite())
    cookie = browser.get("/sign-in", params={"code": code}).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert tokens.now not in cookie
    assert code not in cookie


def test_a_rotated_token_ends_every_session_and_every_link(
    a_house: House, visitors: Visitors, browser: httpx.Client, tokens: Tokens
) -> None:
    assert browser.post("/sign-in", data={"token": tokens.now}).status_code == 303
    assert browser.get("/api/photos").status_code == 200
    code = a_house.do(visitors.invite())
    tokens.now = "the-second-token-0123456789"
    assert browser.get("/api/photos").status_code == 401
    assert browser.get("/sign-in", params={"code": code}).status_code == 401
    assert browser.get("/api/photos", headers=_bearer(tokens)).status_code == 200


def test_sessions_are_listed_and_revoked(site: Site, browser: httpx.Client, tokens: Tokens) -> None:
    for agent in ("first", "second"):
        with site.client(headers={"Origin": site.url, "User-Agent": agent}) as each:
            each.post("/sign-in", data={"token": tokens.now})
    browser.post("/sign-in", data={"token": tokens.now})
    listed = browser.get("/api/sessions").json()
    assert {each["browser"] for each in listed} > {"first", "second"}
    mine = [each for each in listed if each["current"]]
    assert len(mine) == 1
    path = f"/api/sessions/{mine[0]['id']}"
    with site.client(headers=_bearer(tokens)) as owner:
        assert owner.delete(path).status_code == 204
        assert owner.delete(path).status_code == 404
    assert browser.get("/api/photos").status_code == 401


def test_a_foreign_page_can_revoke_no_session(browser: httpx.Client, tokens: Tokens) -> None:
    browser.post("/sign-in", data={"token": tokens.now})
    id_ = browser.get("/api/sessions").json()[0]["id"]
    foreign = {"Origin": "https://evil.example"}
    assert browser.delete(f"/api/sessions/{id_}", headers=foreign).status_code == 403
    assert browser.get("/api/photos").status_code == 200


def test_a_session_ends_after_thirty_days_unused(a_house: House, sessions: Sessions) -> None:
    find = sessions.find
    a_house.do(sessions.begin("s", issuer="t30", address="a", browser="b", now=NOW))
    half = NOW + UNUSED / 2
    assert a_house.do(find("s", issuer="t30", now=half))
    later = half + UNUSED - timedelta(minutes=1)
    assert a_house.do(find("s", issuer="t30", now=later)), "it was used meanwhile"
    assert not a_house.do(find("s", issuer="t30", now=later + UNUSED))


def test_what_has_ended_is_cleared(a_house: House, sessions: Sessions) -> None:
    a_house.do(sessions.begin("gone", issuer="tc", address="", browser="", now=NOW - UNUSED))
    a_house.do(sessions.begin("lasts", issuer="tc", address="", browser="", now=NOW))
    a_house.do(sessions.issue_code("gone", issuer="tc", expires_at=NOW))
    a_house.do(sessions.clear(now=NOW))
    before = NOW - timedelta(days=1)
    assert not a_house.do(sessions.find("gone", issuer="tc", now=before))
    assert a_house.do(sessions.find("lasts", issuer="tc", now=NOW))
    assert not a_house.do(sessions.redeem_code("gone", issuer="tc", now=before))


def test_the_rows_let_nobody_in(
    a_house: House, visitors: Visitors, browser: httpx.Client, engines: EmbeddedEngines
) -> None:
    import psycopg  # noqa: PLC0415  for this test alone

    code = a_house.do(visitors.invite())
    browser.get("/sign-in", params={"code": a_house.do(visitors.invite())})
    secret = next(iter(browser.cookies.values()))
    with psycopg.connect(engines.database_url) as connection:
        tables = ("safelight_sessions", "safelight_codes")
        kept = [str(connection.execute(f"SELECT * FROM {each}").fetchall()) for each in tables]
    assert secret not in kept[0]
    assert code not in kept[1]


def test_wrong_tokens_are_slowed_down(site: Site, tokens: Tokens) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    with site.client() as client:
        codes = [client.get("/api/photos", headers=wrong).status_code for _ in range(12)]
        assert codes == [401] * 10 + [429] * 2
        slowed = client.get("/api/photos", headers=_bearer(tokens))
        assert slowed.json()["code"] == "too_many_attempts"
        assert 1 <= int(slowed.headers["retry-after"]) <= 6


def test_an_address_may_try_again_after_a_while_and_others_at_once() -> None:
    seconds = [0.0]
    attempts = Attempts(clock=lambda: seconds[0])
    for _ in range(10):
        attempts.check("a")
        attempts.wrong("a")
    with pytest.raises(Exception, match="Too many"):
        attempts.check("a")
    attempts.check("b")
    seconds[0] = 6.0
    attempts.check("a")
    attempts.wrong("a")
    with pytest.raises(Exception, match="Too many"):
        attempts.check("a")

"""Signing in by a one-time link or by the token, and the end of sessions."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import httpx
import pytest

from safelight.catalog.installation.sessions import IDLE_LIFETIME, MAX_LIFETIME, Sessions
from safelight.engines import EmbeddedEngines
from safelight.web import create_app
from safelight.web.auth.auth import CODE_LIFETIME, Authenticator
from support.app_server import AppServer, Site

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
def site(app_server: AppServer, tokens: Tokens) -> Site:
    """A site that requires a token."""
    settings = app_server.settings.model_copy(update={"auth": "token"})
    return app_server.serve(create_app(app_server.library, settings, token=tokens), settings)


@pytest.fixture
def authenticator(site: Site) -> Authenticator:
    found: Authenticator = site.app.state.authenticator
    return found


@pytest.fixture
def browser(site: Site) -> Iterator[httpx.Client]:
    with site.client(headers={"Origin": site.url}) as client:
        yield client


@pytest.fixture
def sessions(app_server: AppServer) -> Sessions:
    return app_server.library.backends.catalog.sessions


def _redeem(client: httpx.Client, code: str) -> httpx.Response:
    """Open a sign-in link and press its button."""
    page = client.get("/sign-in", params={"code": code})
    if page.status_code == 200:
        assert f'value="{code}"' in page.text
    return client.post("/sign-in", data={"code": code})


def _bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.now}"}


def test_sign_in_link_works_once_and_leaves_no_code_in_the_url(
    app_server: AppServer, authenticator: Authenticator, browser: httpx.Client, site: Site
) -> None:
    code = app_server.do(authenticator.create_sign_in_code())
    answer = _redeem(browser, code)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.get("/api/photos").status_code == 200
    with site.client(headers={"Origin": site.url}) as other:
        again = _redeem(other, code)
        assert again.status_code == 401
        assert "used or has expired" in again.text
        assert other.get("/api/photos").status_code == 401


@pytest.mark.parametrize("code", ["nonsense", "", "x" * 32, "<b>", "x" * 5_000])
def test_unknown_code_does_not_sign_in(browser: httpx.Client, code: str) -> None:
    answer = browser.post("/sign-in", data={"code": code})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "<b>" not in browser.get("/sign-in", params={"code": code}).text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch"},
        {"User-Agent": "TelegramBot (like TwitterBot)"},
    ],
    ids=["bare", "browser", "image", "prefetch", "preview"],
)
def test_opening_a_sign_in_link_does_not_use_it(
    app_server: AppServer,
    authenticator: Authenticator,
    browser: httpx.Client,
    method: str,
    headers: dict[str, str],
) -> None:
    code = app_server.do(authenticator.create_sign_in_code())
    for _ in range(2):
        opened = browser.request(method, "/sign-in", params={"code": code}, headers=headers)
        status = 403 if "image" in headers.values() else 200
        assert (opened.status_code, opened.headers["cache-control"]) == (status, "no-store")
        assert "set-cookie" not in opened.headers
    assert browser.get("/api/photos").status_code == 401
    assert _redeem(browser, code).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=str,
)
def test_another_site_cannot_redeem_a_code(
    app_server: AppServer, authenticator: Authenticator, site: Site, headers: dict[str, str]
) -> None:
    code = app_server.do(authenticator.create_sign_in_code())
    with site.client() as client:
        answer = client.post("/sign-in", data={"code": code}, headers=headers)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
        own = {"Origin": site.url}
        assert client.post("/sign-in", data={"code": code}, headers=own).status_code == 303


def test_signed_in_browser_keeps_the_code(
    app_server: AppServer, authenticator: Authenticator, browser: httpx.Client, tokens: Tokens
) -> None:
    code = app_server.do(authenticator.create_sign_in_code())
    browser.post("/sign-in", data={"token": tokens.now})
    answer = browser.get("/sign-in", params={"code": code})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.post("/sign-in", data={"code": code}).status_code == 303


def test_pages_are_not_cached(browser: httpx.Client, tokens: Tokens) -> None:
    browser.post("/sign-in", data={"token": tokens.now})
    assert browser.get("/").headers["cache-control"] == "no-store"


def test_sign_in_link_expires(app_server: AppServer, sessions: Sessions) -> None:
    app_server.do(sessions.issue_code("old", issuer="i", expires_at=NOW + CODE_LIFETIME))
    late = NOW + CODE_LIFETIME
    assert not app_server.do(sessions.redeem_code("old", issuer="i", now=late))
    early = late - timedelta(seconds=1)
    assert app_server.do(sessions.redeem_code("old", issuer="i", now=early))


def test_cookie_is_not_the_token_and_is_httponly(
    app_server: AppServer, authenticator: Authenticator, browser: httpx.Client, tokens: Tokens
) -> None:
    code = app_server.do(authenticator.create_sign_in_code())
    cookie = _redeem(browser, code).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert tokens.now not in cookie
    assert code not in cookie


def test_rotating_the_token_ends_every_session_and_sign_in_link(
    app_server: AppServer, authenticator: Authenticator, browser: httpx.Client, tokens: Tokens
) -> None:
    assert browser.post("/sign-in", data={"token": tokens.now}).status_code == 303
    assert browser.get("/api/photos").status_code == 200
    code = app_server.do(authenticator.create_sign_in_code())
    tokens.now = "the-second-token-0123456789"
    assert browser.get("/api/photos").status_code == 401
    assert _redeem(browser, code).status_code == 401
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


def test_cross_origin_page_cannot_revoke_a_session(browser: httpx.Client, tokens: Tokens) -> None:
    browser.post("/sign-in", data={"token": tokens.now})
    id_ = browser.get("/api/sessions").json()[0]["id"]
    foreign = {"Origin": "https://evil.example"}
    assert browser.delete(f"/api/sessions/{id_}", headers=foreign).status_code == 403
    assert browser.get("/api/photos").status_code == 200


def test_sessions_name_the_browser_and_hold_nothing_that_signs_in(
    site: Site, browser: httpx.Client, tokens: Tokens
) -> None:
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
    hostile = "<img src=x>\x9b31m" + "x" * 5_000
    secrets: list[str] = []
    for agent in (firefox, hostile):
        headers = {"Origin": site.url, "User-Agent": agent.encode("latin-1")}
        with site.client(headers=headers) as each:
            each.post("/sign-in", data={"token": tokens.now})
            secrets += each.cookies.values()
    browser.post("/sign-in", data={"token": tokens.now})
    answer = browser.get("/api/sessions")
    named = {(each["browser_name"], each["system"]) for each in answer.json()}
    assert named >= {("Firefox", "Linux"), (None, None)}
    assert set(answer.json()[0]) == {
        *("id", "created_at", "seen_at", "address", "browser", "browser_name", "system", "current")
    }
    for secret in (*secrets, *browser.cookies.values()):
        assert secret not in answer.text
        assert sha256(secret.encode()).hexdigest() not in answer.text


def test_all_other_sessions_are_ended_at_once(
    site: Site, browser: httpx.Client, tokens: Tokens
) -> None:
    with site.client(headers={"Origin": site.url}) as other:
        for each in (other, browser):
            each.post("/sign-in", data={"token": tokens.now})
            assert each.get("/api/photos").status_code == 200
        foreign = {"Origin": "https://evil.example"}
        assert browser.delete("/api/sessions", headers=foreign).status_code == 403
        assert other.get("/api/photos").status_code == 200
        assert browser.delete("/api/sessions").json()["ended"] >= 1
        assert other.get("/api/photos").status_code == 401
        assert other.delete("/api/sessions").status_code == 401
        assert [each["current"] for each in browser.get("/api/sessions").json()] == [True]
        assert browser.delete("/api/sessions").json() == {"ended": 0}
    with site.client(headers=_bearer(tokens)) as owner:
        assert owner.delete("/api/sessions").json() == {"ended": 1}
    assert browser.get("/api/photos").status_code == 401


def test_sessions_of_another_token_are_neither_listed_nor_ended(
    app_server: AppServer, browser: httpx.Client, sessions: Sessions, tokens: Tokens
) -> None:
    app_server.do(sessions.create("x", issuer="other", address="", browser="", now=NOW))
    (other,) = app_server.do(sessions.all(issuer="other", now=NOW))
    browser.post("/sign-in", data={"token": tokens.now})
    assert other.id not in [each["id"] for each in browser.get("/api/sessions").json()]
    assert browser.delete(f"/api/sessions/{other.id}").status_code == 404
    for odd in ("0", "-1", "abc", "9" * 30):
        assert browser.delete(f"/api/sessions/{odd}").status_code == 404
    browser.delete("/api/sessions")
    assert app_server.do(sessions.all(issuer="other", now=NOW)) == [other]


def test_unused_session_ends_after_30_days(app_server: AppServer, sessions: Sessions) -> None:
    find = sessions.find
    app_server.do(sessions.create("s", issuer="t30", address="a", browser="b", now=NOW))
    half = NOW + IDLE_LIFETIME / 2
    assert app_server.do(find("s", issuer="t30", now=half))
    later = half + IDLE_LIFETIME - timedelta(minutes=1)
    assert app_server.do(find("s", issuer="t30", now=later)), "it was used in the meantime"
    assert not app_server.do(find("s", issuer="t30", now=later + IDLE_LIFETIME))


def test_session_ends_90_days_after_the_sign_in(app_server: AppServer, sessions: Sessions) -> None:
    app_server.do(sessions.create("s90", issuer="t90", address="a", browser="b", now=NOW))
    for days in range(1, 90):
        assert app_server.do(sessions.find("s90", issuer="t90", now=NOW + timedelta(days=days)))
    end = NOW + MAX_LIFETIME
    assert app_server.do(sessions.all(issuer="t90", now=end - timedelta(seconds=1)))
    assert not app_server.do(sessions.find("s90", issuer="t90", now=end))
    assert not app_server.do(sessions.all(issuer="t90", now=end))
    app_server.do(sessions.delete_expired(now=end))
    assert not app_server.do(sessions.all(issuer="t90", now=NOW + timedelta(days=89)))


def test_session_revoked_by_another_process_can_change_nothing(
    app_server: AppServer, browser: httpx.Client, site: Site, tokens: Tokens
) -> None:
    other = app_server.serve(
        create_app(app_server.library, site.settings, token=tokens), site.settings
    )
    browser.post("/sign-in", data={"token": tokens.now})
    (session,) = (each for each in browser.get("/api/sessions").json() if each["current"])
    with other.client(headers=_bearer(tokens)) as owner:
        assert owner.delete(f"/api/sessions/{session['id']}").status_code == 204
    assert browser.delete("/api/photos/1").status_code == 401
    assert browser.get("/api/photos").status_code == 401, "no longer cached"


def test_expired_sessions_and_codes_are_deleted(app_server: AppServer, sessions: Sessions) -> None:
    app_server.do(
        sessions.create("gone", issuer="tc", address="", browser="", now=NOW - IDLE_LIFETIME)
    )
    app_server.do(sessions.create("lasts", issuer="tc", address="", browser="", now=NOW))
    app_server.do(sessions.issue_code("gone", issuer="tc", expires_at=NOW))
    app_server.do(sessions.delete_expired(now=NOW))
    before = NOW - timedelta(days=1)
    assert not app_server.do(sessions.find("gone", issuer="tc", now=before))
    assert app_server.do(sessions.find("lasts", issuer="tc", now=NOW))
    assert not app_server.do(sessions.redeem_code("gone", issuer="tc", now=before))


def test_database_rows_contain_no_usable_secret(
    app_server: AppServer,
    authenticator: Authenticator,
    browser: httpx.Client,
    engines: EmbeddedEngines,
) -> None:
    import psycopg

    code = app_server.do(authenticator.create_sign_in_code())
    _redeem(browser, app_server.do(authenticator.create_sign_in_code()))
    secret = next(iter(browser.cookies.values()))
    with psycopg.connect(engines.database_url) as connection:
        tables = ("safelight_sessions", "safelight_codes")
        kept = [str(connection.execute(f"SELECT * FROM {each}").fetchall()) for each in tables]
    assert secret not in kept[0]
    assert code not in kept[1]

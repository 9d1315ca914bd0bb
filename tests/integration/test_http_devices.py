"""The page of signed-in browsers that needs no JavaScript."""

import re
from collections.abc import Iterator

import httpx
import pytest

from support.app_server import TOKEN, Site

PAGE = "/simple-upload/devices"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def browsers(guarded: Site) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Two browsers, and no other one, that are signed in; the second one did it last."""
    headers = {"Origin": guarded.url, "User-Agent": FIREFOX}
    with guarded.client(headers=headers) as one, guarded.client(headers=headers) as other:
        other.headers["User-Agent"] = SAFARI
        for each in (one, other):
            assert each.post("/sign-in", data={"token": TOKEN}).status_code == 303
        one.delete("/api/sessions")
        assert other.post("/sign-in", data={"token": TOKEN}).status_code == 303
        yield one, other


def _forms(page: httpx.Response) -> list[str]:
    """Return the addresses of the page's forms, in order."""
    return re.findall(r'<form method="post" action="([^"]*)"', page.text)


def test_browsers_are_listed_and_signed_out(browsers: tuple[httpx.Client, httpx.Client]) -> None:
    one, other = browsers
    assert f'href="{PAGE}"' in one.get("/simple-upload").text
    page = one.get(PAGE)
    assert page.headers["cache-control"] == "no-store"
    names = re.findall(r"<h2>(.*)</h2>", page.text)
    assert names == ["Firefox on Linux (this browser)", "Safari on iPhone"]
    own, sign_out = _forms(page)
    assert own == "/sign-out"
    done = one.post(sign_out)
    assert (done.status_code, done.headers["location"]) == (303, PAGE)
    assert other.get(PAGE).status_code == 401
    assert _forms(one.get(PAGE)) == [own]
    assert one.post(sign_out).status_code == 303, "it is signed out"
    assert one.post(f"{PAGE}/x/sign-out").status_code == 404


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}]
)
def test_other_site_cannot_sign_a_browser_out(
    browsers: tuple[httpx.Client, httpx.Client], headers: dict[str, str]
) -> None:
    one, other = browsers
    _, sign_out = _forms(one.get(PAGE))
    del one.headers["Origin"]
    assert one.post(sign_out, headers=headers).status_code == 403
    assert other.get(PAGE).status_code == 200


def test_page_needs_a_sign_in(guarded: Site) -> None:
    with guarded.client(headers={"Origin": guarded.url}) as anonymous:
        assert anonymous.get(PAGE).status_code == 401
        assert anonymous.post(f"{PAGE}/1/sign-out").status_code == 401


def test_page_without_authentication_lists_nothing(client: httpx.Client) -> None:
    assert "No browser is signed in." in client.get(PAGE).text
    assert PAGE not in client.get("/simple-upload").text


def test_names_that_browsers_send_are_not_shown(
    browsers: tuple[httpx.Client, httpx.Client], guarded: Site
) -> None:
    one, _ = browsers
    headers = {"Origin": guarded.url, "User-Agent": "<script>alert(1)</script>"}
    with guarded.client(headers=headers) as hostile:
        hostile.post("/sign-in", data={"token": TOKEN})
    page = one.get(PAGE).text
    assert "Unknown browser" in page
    assert "<script>alert" not in page

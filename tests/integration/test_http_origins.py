"""Requests without a token: changes are allowed only from our own and configured origins."""

import httpx
import pytest

from support import pictures
from support.app_server import ORIGIN, TOKEN, Site
from support.cross_origin import CROSS_ORIGIN_READS, FOREIGN, REFUSED, fill_in_origin

BEARER = {"Authorization": f"Bearer {TOKEN}"}


def _upload(client: httpx.Client, headers: dict[str, str]) -> httpx.Response:
    return client.post("/api/photos", files={"photo": pictures.jpeg()}, headers=headers)


ALLOWED = [
    {},
    {"Origin": ORIGIN},
    {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
    {"Referer": f"{ORIGIN}/gallery?x=1"},
    {"Origin": "OWN"},
    {"Origin": "OWN", "Sec-Fetch-Site": "same-origin"},
    {"Referer": "OWN/"},
    {"Sec-Fetch-Site": "same-origin"},
    # Behind a proxy that ends TLS and sends no X-Forwarded-Proto.
    {"Origin": "OTHER-SCHEME", "Sec-Fetch-Site": "same-origin"},
]


@pytest.mark.parametrize("headers", ALLOWED, ids=str)
def test_without_auth_changes_from_our_origin_are_allowed(
    site: Site, client: httpx.Client, headers: dict[str, str]
) -> None:
    made = _upload(client, fill_in_origin(headers, site))
    assert made.status_code == 201, made.text
    where = made.headers["Location"]
    changed = client.patch(where, json={"title": "x"}, headers=fill_in_origin(headers, site))
    assert changed.status_code == 200
    assert client.delete(where, headers=fill_in_origin(headers, site)).status_code == 204


@pytest.mark.parametrize("headers", REFUSED, ids=str)
def test_without_auth_cross_origin_changes_are_refused(
    site: Site, client: httpx.Client, headers: dict[str, str]
) -> None:
    where = _upload(client, {}).headers["Location"]
    sent = fill_in_origin(headers, site)
    for answer in (
        client.post("/api/photos", files={"photo": pictures.png()}, headers=sent),
        client.patch(where, json={"title": "x"}, headers=sent),
        client.delete(where, headers=sent),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_origin")
    for path in ("/simple-upload", f"{where.replace('/api/photos', '/simple-upload')}/delete"):
        page = client.post(path, files={"photo": pictures.png()}, headers=sent)
        assert page.status_code == 403
    assert [photo["title"] for photo in client.get("/api/photos").json()] == [""]


def test_only_configured_origins_can_read_the_list(
    client: httpx.Client,
) -> None:
    mine = client.get("/api/photos", headers={"Origin": ORIGIN})
    assert mine.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "origin" in mine.headers["Vary"].lower()
    foreign = client.get("/api/photos", headers={"Origin": FOREIGN})
    assert foreign.status_code == 403
    assert "Access-Control-Allow-Origin" not in foreign.headers


@pytest.mark.parametrize("headers", CROSS_ORIGIN_READS, ids=str)
def test_cross_origin_reads_are_refused(
    site: Site, client: httpx.Client, headers: dict[str, str]
) -> None:
    photo = _upload(client, {}).headers["Location"]
    for path in (f"{photo}/original", photo, "/api/photos", "/api/sessions", "/metrics"):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_origin")
        assert client.head(path, headers=headers).status_code == 403
    for path in ("/", photo.replace("/api/photos", "/photo"), "/simple-upload"):
        assert client.get(path, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Referer": f"{FOREIGN}/page"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Referer": f"{FOREIGN}/page",
        },
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Referer": f"{ORIGIN}/", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN, "Sec-Fetch-Mode": "cors"},
        {"Origin": "OWN"},
    ],
    ids=str,
)
def test_other_reads_are_allowed(site: Site, client: httpx.Client, headers: dict[str, str]) -> None:
    photo = _upload(client, {}).headers["Location"]
    answer = client.get(f"{photo}/original", headers=fill_in_origin(headers, site))
    assert answer.status_code == 307
    allowed = ORIGIN in str(headers)
    policy = answer.headers["Cross-Origin-Resource-Policy"]
    assert policy == ("cross-origin" if allowed else "same-origin")


def test_token_reads_from_any_page(guarded: Site) -> None:
    """No page has the token unless the user gave it, and no browser adds it."""
    with guarded.client(headers=BEARER) as client:
        answer = client.get("/api/photos", headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 200


def test_refusal_of_a_cross_origin_read_does_not_depend_on_the_session(guarded: Site) -> None:
    headers = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"}
    with guarded.client(headers={"Origin": guarded.url}) as client:
        before = client.get("/api/photos/0/original", headers=headers)
        assert client.post("/sign-in", data={"token": TOKEN}).status_code == 303
        after = client.get("/api/photos/0/original", headers=headers)
    assert before.status_code == after.status_code == 403
    assert before.content == after.content


def test_cors_exposes_errors_links_and_etags(client: httpx.Client) -> None:
    """Without these headers a page sees a network error, and can't find out why."""
    refused = client.get("/api/photos/abc", headers={"Origin": ORIGIN})
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
    exposed = refused.headers["Access-Control-Expose-Headers"]
    assert {name.strip() for name in exposed.split(",")} == {
        *("ETag", "Link", "Location", "Retry-After", "X-Request-Id")
    }


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "DELETE"])
def test_preflight_from_a_configured_origin_is_allowed(client: httpx.Client, method: str) -> None:
    answer = client.options(
        "/api/photos/1",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization, content-type",
        },
    )
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert method in answer.headers["Access-Control-Allow-Methods"]


def test_preflight_from_another_origin_is_refused(client: httpx.Client) -> None:
    answer = client.options(
        "/api/photos", headers={"Origin": FOREIGN, "Access-Control-Request-Method": "DELETE"}
    )
    assert answer.status_code == 400
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_requests_of_a_configured_origin_work(client: httpx.Client) -> None:
    """What `fetch` sends for a form and for the list, from a page at a configured origin."""
    browser = {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site", "Referer": f"{ORIGIN}/"}
    made = client.post(
        "/api/photos",
        files={"photo": ("cat.jpg", pictures.jpeg(), "image/jpeg")},
        data={"title": "A cat"},
        headers=browser,
    )
    assert made.status_code == 201
    assert made.headers["Access-Control-Allow-Origin"] == ORIGIN
    listed = client.get("/api/photos", headers=browser).json()
    assert {"id", "photo_url", "title", "description"} <= set(listed[0])
    assert httpx.get(listed[0]["photo_url"]).content == pictures.jpeg()

"""Changes that no token carries: from our own and from configured origins alone."""

import httpx
import pytest

import pictures
from integration.served import ORIGIN, TOKEN, Site
from integration.strangers import FOREIGN, REFUSED, own

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
]


@pytest.mark.parametrize("headers", ALLOWED, ids=str)
def test_where_nobody_is_asked_a_change_may_come_from_ourown(
    site: Site, client: httpx.Client, headers: dict[str, str]
) -> None:
    made = _upload(client, own(headers, site))
    assert made.status_code == 201, made.text
    where = made.headers["Location"]
    changed = client.patch(where, json={"title": "x"}, headers=own(headers, site))
    assert changed.status_code == 200
    assert client.delete(where, headers=own(headers, site)).status_code == 204


@pytest.mark.parametrize("headers", REFUSED, ids=str)
def test_where_nobody_is_asked_a_change_from_elsewhere_is_refused(
    site: Site, client: httpx.Client, headers: dict[str, str]
) -> None:
    where = _upload(client, {}).headers["Location"]
    told = own(headers, site)
    for answer in (
        client.post("/api/photos", files={"photo": pictures.png()}, headers=told),
        client.patch(where, json={"title": "x"}, headers=told),
        client.delete(where, headers=told),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_origin")
    for path in ("/simple-upload", f"{where.replace('/api/photos', '/simple-upload')}/delete"):
        page = client.post(path, files={"photo": pictures.png()}, headers=told)
        assert page.status_code == 403
    assert [photo["title"] for photo in client.get("/api/photos").json()] == [""]


def test_somebody_elses_page_may_read_the_list_from_a_configured_origin_alone(
    client: httpx.Client,
) -> None:
    mine = client.get("/api/photos", headers={"Origin": ORIGIN})
    assert mine.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "origin" in mine.headers["Vary"].lower()
    foreign = client.get("/api/photos", headers={"Origin": FOREIGN})
    assert "Access-Control-Allow-Origin" not in foreign.headers


def test_a_single_page_app_may_read_errors_links_and_tags(client: httpx.Client) -> None:
    """Without these headers a page sees a network error, and can't tell why."""
    refused = client.get("/api/photos/abc", headers={"Origin": ORIGIN})
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
    exposed = refused.headers["Access-Control-Expose-Headers"]
    assert {name.strip() for name in exposed.split(",")} == {
        *("ETag", "Link", "Location", "Retry-After", "X-Request-Id")
    }


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_a_browser_asks_before_and_is_told_yes(client: httpx.Client, method: str) -> None:
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


def test_a_browser_that_asks_for_a_foreign_page_is_told_no(client: httpx.Client) -> None:
    answer = client.options(
        "/api/photos", headers={"Origin": FOREIGN, "Access-Control-Request-Method": "DELETE"}
    )
    assert answer.status_code == 400
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_plain_app_works_unchanged(client: httpx.Client) -> None:
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

"""Calls for one photo: show, change, delete, redirects; and malformed ids."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from support import pictures
from support.app_server import Site
from support.raw_http import raw_request


@pytest.fixture
def where(client: httpx.Client) -> str:
    """The path of a photo."""
    answer = client.post("/api/photos", files={"photo": pictures.jpeg()}, data={"title": "Old"})
    return answer.headers["Location"]


MALFORMED = [
    "abc",
    "-1",
    "+1",
    "0",
    "007",
    "1.0",
    "1e3",
    "0x1",
    str(2**63),
    str(2**64),
    "9" * 30,
    "9" * 5_000,
    "0" * 20 + "9" * 30,
    "%00",
    "1%00",
    "1%20",
    "%0A1",
    "%D9%A1%D9%A2",  # digits, but Arabic
    "%C2%B2",  # a superscript two
    "%EF%BC%91",  # a fullwidth one
    "%FF",
    "1;drop",
    "..",
    "null",
]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("written", MALFORMED, ids=lambda written: written[:24])
def test_malformed_id_is_not_found(site: Site, method: str, written: str) -> None:
    answer = raw_request(site, method.encode(), b"/api/photos/" + written.encode(), body=b"{}")
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize("written", [*MALFORMED, str(2**63 - 1)], ids=lambda written: written[:24])
def test_malformed_id_has_no_original_and_no_page(site: Site, written: str) -> None:
    answer = raw_request(site, b"GET", f"/api/photos/{written}/original".encode())
    assert (answer.status, answer.code) == (404, "not_found")
    for pages in ("photo", "simple-upload"):
        assert raw_request(site, b"GET", f"/{pages}/{written}".encode()).status == 404


@pytest.mark.parametrize("id_", [1, 2**31, 2**63 - 1])
def test_unknown_id_is_not_found(client: httpx.Client, id_: int) -> None:
    for method in ("GET", "DELETE"):
        answer = client.request(method, f"/api/photos/{id_}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert client.patch(f"/api/photos/{id_}", json={"title": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("change", "title", "description"),
    [
        ({"title": "New"}, "New", ""),
        ({"description": "New"}, "Old", "New"),
        ({"title": "", "description": "d" * 5_000}, "", "d" * 5_000),
        ({"title": "😀" * 200}, "😀" * 200, ""),
        ({"title": None}, "Old", ""),
        ({}, "Old", ""),
    ],
)
def test_change_returns_the_photo_and_persists(
    client: httpx.Client, where: str, change: dict[str, Any], title: str, description: str
) -> None:
    answer = client.patch(where, json=change)
    assert answer.status_code == 200, answer.text
    photo = answer.json()
    assert (photo["title"], photo["description"]) == (title, description)
    assert client.get(where).json() == photo


@pytest.mark.parametrize(
    "body",
    [
        b'{"title": "' + b"t" * 201 + b'"}',
        b'{"description": "' + b"d" * 5_001 + b'"}',
        b'{"title": "a\\u0000b"}',
        b'{"title": "\\ud800"}',
        b'{"title": "\\udc00\\ud800"}',
        b'{"title": "\xff"}',
        b'{"title": 7}',
        b'{"title": ["x"]}',
        b'{"name": "x"}',
        b'{"id": 7, "title": "x"}',
        b'{"title": "x"',
        b'{"title": "x"} {}',
        b"[]",
        b"null",
        b"",
        b"\x00",
        b"[" * 30_000,
        b"title=x",
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_undocumented_change_is_refused(client: httpx.Client, where: str, body: bytes) -> None:
    answer = client.patch(where, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert client.get(where).json()["title"] == "Old"


def test_change_of_more_than_64_kib_is_too_large(client: httpx.Client, where: str) -> None:
    answer = client.patch(where, json={"title": "t" * 70_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_deleted_photo_is_not_found_and_second_delete_is_a_404(
    client: httpx.Client, where: str
) -> None:
    answer = client.delete(where)
    assert (answer.status_code, answer.content) == (204, b"")
    for method in ("DELETE", "GET", "PATCH"):
        again = client.request(method, where, json={"title": "x"})
        assert (again.status_code, again.json()["code"]) == (404, "not_found")
    assert client.get(f"{where}/original").status_code == 404
    assert client.get("/api/photos").json() == []


def test_original_redirects_without_caching(client: httpx.Client, where: str) -> None:
    answer = client.get(f"{where}/original")
    assert answer.status_code == 307
    assert answer.headers["Location"] == client.get(where).json()["original_url"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("query", ["", "?download=true"])
def test_head_follows_the_redirect_to_the_bytes(
    client: httpx.Client, where: str, query: str
) -> None:
    """A URL signed for GET is a 403 for HEAD, and clients keep HEAD in redirects."""
    first = client.head(f"{where}/original{query}")
    assert (first.status_code, first.headers["Cache-Control"]) == (307, "no-store")
    head = httpx.head(first.headers["Location"])
    got = httpx.get(client.get(f"{where}/original{query}").headers["Location"])
    assert (head.status_code, got.status_code) == (200, 200)
    for name in ("Content-Length", "Content-Type", "ETag", "Content-Disposition"):
        assert head.headers.get(name) == got.headers.get(name)
    assert httpx.get(first.headers["Location"]).status_code == 403


@pytest.mark.parametrize("path", ["original", "w320", "nothing"])
def test_head_has_the_status_of_get(client: httpx.Client, where: str, path: str) -> None:
    missing = f"{where.rpartition('/')[0]}/0"
    for address in (where, missing):
        got, head = (client.request(m, f"{address}/{path}") for m in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (got.status_code, b"")


@pytest.mark.parametrize("name", ["large", "Original", "original%00", "%2e%2e", "%FF", "a" * 3000])
def test_missing_rendition_is_not_found(client: httpx.Client, where: str, name: str) -> None:
    answer = client.get(f"{where}/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_one_of_eight_concurrent_deletions_succeeds(site: Site, where: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(lambda _: raw_request(site, b"DELETE", where.encode()).status, range(8))
        )
    assert sorted(statuses) == [204] + [404] * 7


def test_photo_response_is_private(client: httpx.Client, where: str) -> None:
    for address in (where, "/api/photos"):
        assert client.get(address).headers["Cache-Control"].startswith("private")
    assert client.delete("/api/photos/x").headers["Cache-Control"] == "no-store"

"""Links in responses: what they return, and when they end."""

import time

import httpx
import pytest

from support import pictures


@pytest.fixture(params=["jpeg", "png", "gif", "webp"])
def data(request: pytest.FixtureRequest) -> bytes:
    return pictures.photographs()[request.param]


def test_link_returns_the_stored_bytes_with_type_and_cache_lifetime(
    client: httpx.Client, data: bytes
) -> None:
    photo = client.post("/api/photos", files={"photo": ("x.html", data, "text/html")}).json()
    answer = httpx.get(photo["photo_url"])
    assert answer.status_code == 200
    assert answer.content == data
    assert answer.headers["Content-Type"] == photo["content_type"]
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"


def test_link_of_deleted_photo_ends_within_five_seconds(client: httpx.Client) -> None:
    photo = client.post("/api/photos", files={"photo": pictures.jpeg()}).json()
    assert httpx.get(photo["photo_url"]).status_code == 200
    assert client.delete(f"/api/photos/{photo['id']}").status_code == 204
    deadline = time.monotonic() + 120
    while (status := httpx.get(photo["photo_url"]).status_code) == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert status in {403, 404}


def test_link_allows_reading_one_object_only(client: httpx.Client) -> None:
    one, other = (
        client.post("/api/photos", files={"photo": data}).json()
        for data in (pictures.jpeg(), pictures.png())
    )
    url = one["photo_url"]
    assert httpx.put(url, content=b"mine").status_code == 403
    assert httpx.delete(url).status_code == 403
    assert httpx.head(url).status_code in {200, 403}
    path, _, query = url.partition("?")
    of_other = other["photo_url"].partition("?")[0]
    assert httpx.get(f"{of_other}?{query}").status_code == 403
    assert httpx.get(path).status_code == 403
    assert httpx.get(path.rpartition("/")[0] + f"/?{query}").status_code == 403
    assert httpx.get(url).content == pictures.jpeg()


def test_photo_has_the_same_link_in_every_response(client: httpx.Client) -> None:
    photo = client.post("/api/photos", files={"photo": pictures.jpeg()}).json()
    for _ in range(3):
        assert client.get("/api/photos").json() == [photo]
        assert client.get(f"/api/photos/{photo['id']}").json() == photo

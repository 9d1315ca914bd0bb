"""The trash and revoked links over HTTP, with links that the real store refuses."""

import time
from collections.abc import Iterator
from itertools import count

import httpx
import pytest

from support import pictures
from support.app_server import AppServer, Site

_widths = count(20)


def _upload(client: httpx.Client) -> dict[str, str]:
    data = pictures.jpeg(next(_widths), 400)
    answer = client.post("/api/photos", files={"photo": ("a.jpg", data)})
    assert answer.status_code == 201, answer.text
    photo: dict[str, str] = answer.json()
    return photo


def _links(photo: dict[str, str]) -> list[str]:
    renditions: list[dict[str, str]] = photo["renditions"]  # type: ignore[assignment]
    return [photo["original_url"], photo["photo_url"], *(each["url"] for each in renditions)]


def _wait_until_dead(links: list[str], *, seconds: float = 5) -> None:
    until = time.monotonic() + seconds
    for link in links:
        while httpx.get(link).status_code == 200:
            assert time.monotonic() < until, "the link still works"
            time.sleep(0.05)
        assert httpx.get(link).status_code in {403, 404}


def _ids(client: httpx.Client, query: str = "") -> list[object]:
    return [photo["id"] for photo in client.get(f"/api/photos{query}").json()]


def test_links_of_a_trashed_photo_die_and_a_restored_one_has_new_ones(
    client: httpx.Client,
) -> None:
    photo = _upload(client)
    where = f"/api/photos/{photo['id']}"
    assert all(httpx.get(link).status_code == 200 for link in _links(photo))
    assert client.delete(where).status_code == 204
    _wait_until_dead(_links(photo))
    for method, path in (("DELETE", ""), ("GET", ""), ("GET", "/original"), ("GET", "/w320")):
        assert client.request(method, where + path).status_code == 404
    assert _ids(client) == []
    (trashed,) = client.get("/api/photos?trash=true").json()
    assert trashed["id"] == photo["id"]
    assert trashed["revoking"] is False
    assert trashed["trashed_at"] < trashed["deletes_at"]
    assert all(httpx.get(link).status_code == 200 for link in _links(trashed))
    restored = client.post(f"{where}/restore")
    assert restored.status_code == 200
    assert not {"trashed_at", "deletes_at", "revoking"} & restored.json().keys()
    links = _links(restored.json())
    assert not set(links) & set(_links(photo))
    assert all(httpx.get(link).status_code == 200 for link in links)
    assert client.post(f"{where}/restore").status_code == 404
    assert _ids(client) == [photo["id"]]


def test_revoked_links_die(client: httpx.Client) -> None:
    photo = _upload(client)
    where = f"/api/photos/{photo['id']}"
    before = client.get("/api/photos").headers["ETag"]
    assert client.post(f"{where}/revoke-links").status_code == 204
    _wait_until_dead(_links(photo))
    listed = client.get("/api/photos", headers={"If-None-Match": before})
    assert [httpx.get(link).status_code for link in _links(listed.json()[0])] == [200] * len(
        _links(photo)
    )
    assert client.post("/api/photos/999999/revoke-links").status_code == 404
    assert client.post("/api/photos/x/revoke-links").status_code == 404


def test_many_are_trashed_restored_and_deleted_for_good(client: httpx.Client) -> None:
    photos = [_upload(client) for _ in range(6)]
    ids = [str(photo["id"]) for photo in photos]
    some = ",".join(ids[:4])
    answer = client.delete(f"/api/photos?ids={some},99999999")
    assert answer.json() == {"done": [int(id_) for id_ in ids[:4]], "missing": [99999999]}
    _wait_until_dead([link for photo in photos[:4] for link in _links(photo)], seconds=5.6)
    first = client.get("/api/photos?trash=true&limit=3&links=parts")
    assert len(first.json()["photos"]) == 3
    assert "trashed_at" in first.json()["photos"][0]
    second = client.get(first.links["next"]["url"])
    assert len(second.json()["photos"]) == 1
    assert client.post(f"/api/photos/restore?ids={ids[0]},{ids[5]}").json() == {
        "done": [int(ids[0])],
        "missing": [int(ids[5])],
    }
    assert client.delete(f"/api/photos/{ids[1]}?permanent=true").status_code == 204
    assert client.delete(f"/api/photos/{ids[5]}?permanent=true").status_code == 204
    permanent = client.delete(f"/api/photos?permanent=true&ids={ids[2]},{ids[5]}").json()
    assert permanent == {"done": [int(ids[2])], "missing": [int(ids[5])]}
    assert _ids(client, "?trash=true") == [int(ids[3])]
    assert client.get("/api/trash").json() == {"photos": 1, "days": 30, "revoking": 0}
    assert client.delete("/api/trash").json() == {"deleted": 1}
    assert client.delete("/api/trash").json() == {"deleted": 0}
    assert set(_ids(client)) == {int(ids[0]), int(ids[4])}


@pytest.mark.parametrize("ids", ["", "x", "1,", "-1", ",".join(map(str, range(501)))])
@pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("POST", "/restore")])
def test_ids_that_cannot_be_read_change_nothing(
    client: httpx.Client, method: str, path: str, ids: str
) -> None:
    answer = client.request(method, f"/api/photos{path}?ids={ids}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.fixture
def other_client(app_server: AppServer) -> Iterator[httpx.Client]:
    site: Site = app_server.site(owner="someone else")
    with site.client() as client:
        yield client


def test_trash_of_others_is_out_of_reach(client: httpx.Client, other_client: httpx.Client) -> None:
    photo = _upload(client)
    where = f"/api/photos/{photo['id']}"
    assert other_client.post(f"{where}/revoke-links").status_code == 404
    assert other_client.delete(where).status_code == 404
    assert client.delete(where).status_code == 204
    assert other_client.post(f"{where}/restore").status_code == 404
    assert other_client.delete(f"{where}?permanent=true").status_code == 404
    assert other_client.delete("/api/trash").json() == {"deleted": 0}
    assert _ids(other_client, "?trash=true") == []
    assert _ids(client, "?trash=true") == [photo["id"]]


def test_upload_of_a_trashed_photo_restores_it(client: httpx.Client) -> None:
    data = pictures.jpeg(next(_widths), 30)
    first = client.post("/api/photos", files={"photo": ("a.jpg", data)})
    assert client.delete(first.headers["Location"]).status_code == 204
    again = client.post("/api/photos", files={"photo": ("b.jpg", data)})
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert _ids(client) == [first.json()["id"]]


def test_cursor_of_the_trash_is_not_one_of_another_order(client: httpx.Client) -> None:
    for _ in range(2):
        client.delete(f"/api/photos/{_upload(client)['id']}")
    page = client.get("/api/photos?trash=true&limit=1")
    query = page.links["next"]["url"].replace("&trash=true", "")
    assert client.get(query).status_code == 422


def test_pages_without_scripts_have_the_trash(client: httpx.Client) -> None:
    photo, other = _upload(client), _upload(client)
    page = f"/simple-upload/{photo['id']}"
    assert "goes to the trash" in client.get(page).text
    assert client.post(f"{page}/revoke-links").headers["Location"] == page
    _wait_until_dead(_links(photo))
    for each in (photo, other):
        client.post(f"/simple-upload/{each['id']}/delete")
    text = client.get("/simple-upload/trash").text
    assert f'action="{page}/restore"' in text
    assert f'action="{page}/delete?permanent=true"' in text
    assert "Deleted for good on" in text
    assert client.post(f"{page}/restore").headers["Location"] == page
    assert client.get(page).status_code == 200
    client.post(f"{page}/delete")
    gone = client.post(f"{page}/delete?permanent=true")
    assert gone.headers["Location"] == "/simple-upload/trash"
    assert _ids(client, "?trash=true") == [other["id"]]
    client.post("/simple-upload/trash/empty")
    assert "The trash is empty." in client.get("/simple-upload/trash").text
    assert client.get("/simple-upload/trash?after=x").status_code == 422

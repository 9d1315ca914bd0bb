"""`/api/albums`: photos in an order of their own, of one owner."""

import re
from typing import Any

import httpx
import pytest

from support.app_server import AppServer, Site

PHOTOS = 6


@pytest.fixture
def ids(site: Site, app_server: AppServer) -> list[int]:
    """The ids of photos that are in no album, oldest first."""
    return app_server.insert_photos(site.owner, PHOTOS)


@pytest.fixture
def album(client: httpx.Client, ids: list[int]) -> dict[str, Any]:
    """An album of four of them, not in their order."""
    body = {"title": "Summer", "description": "At the sea", "ids": [ids[n] for n in (2, 0, 3, 1)]}
    response = client.post("/api/albums", json=body)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    assert response.headers["Location"] == f"/api/albums/{made['id']}"
    return made


def order_of(client: httpx.Client, album: int, **more: Any) -> list[int]:
    response = client.get("/api/photos", params={"album": album, **more})
    assert response.status_code == 200, response.text
    return [photo["id"] for photo in response.json()]


def test_album_has_its_photos_in_its_order(
    client: httpx.Client, ids: list[int], album: dict[str, Any]
) -> None:
    assert (album["title"], album["description"], album["photos"]) == ("Summer", "At the sea", 4)
    assert album["cover"]["id"] == ids[2]
    expected = [ids[n] for n in (2, 0, 3, 1)]
    assert order_of(client, album["id"]) == expected
    assert order_of(client, album["id"], skip=1, limit=2) == expected[1:3]
    url: str | None = f"/api/photos?album={album['id']}&limit=3"
    found: list[int] = []
    while url:
        page = client.get(url)
        found += [photo["id"] for photo in page.json()]
        url = page.links.get("next", {}).get("url")
    assert found == expected


def test_albums_are_listed_with_an_etag(client: httpx.Client, album: dict[str, Any]) -> None:
    second = client.post("/api/albums", json={"title": "Empty"}).json()
    listed = client.get("/api/albums")
    assert [each["id"] for each in listed.json()] == [second["id"], album["id"]]
    assert listed.json()[0]["cover"] is None
    etag = {"If-None-Match": listed.headers["ETag"]}
    assert client.get("/api/albums", headers=etag).status_code == 304
    client.patch(f"/api/albums/{second['id']}", json={"title": "Full"})
    assert client.get("/api/albums", headers=etag).status_code == 200


def test_photos_are_added_moved_and_removed(
    client: httpx.Client, ids: list[int], album: dict[str, Any]
) -> None:
    path = f"/api/albums/{album['id']}"
    added = client.post(f"{path}/photos", json={"ids": [ids[4], ids[0], 2**62, ids[5]]})
    assert added.json() == {"done": [ids[4], ids[0], ids[5]], "missing": [2**62]}
    assert order_of(client, album["id"]) == [ids[n] for n in (2, 0, 3, 1, 4, 5)]
    moved = client.post(f"{path}/order", json={"ids": [ids[5], ids[1]], "before": ids[0]})
    assert moved.json() == {"done": [ids[5], ids[1]], "missing": []}
    assert order_of(client, album["id"]) == [ids[n] for n in (2, 5, 1, 0, 3, 4)]
    client.post(f"{path}/order", json={"ids": [ids[2]]})
    assert order_of(client, album["id"]) == [ids[n] for n in (5, 1, 0, 3, 4, 2)]
    removed = client.delete(f"{path}/photos?ids={ids[0]},{ids[1]},999999999")
    assert removed.json() == {"done": [ids[0], ids[1]], "missing": [999999999]}
    assert order_of(client, album["id"]) == [ids[n] for n in (5, 3, 4, 2)]
    assert client.get(f"/api/photos/{ids[0]}").status_code == 200, "the photo stays"
    client.post(f"{path}/photos", json={"ids": [ids[0]]})
    assert order_of(client, album["id"])[-1] == ids[0]


def test_cover_is_the_chosen_photo_while_it_is_there(
    client: httpx.Client, ids: list[int], album: dict[str, Any]
) -> None:
    path = f"/api/albums/{album['id']}"
    changed = client.patch(path, json={"cover": ids[1]}).json()
    assert changed["cover"]["id"] == ids[1]
    assert changed["title"] == "Summer"
    assert client.patch(path, json={"cover": ids[5]}).status_code == 422
    client.delete(f"{path}/photos?ids={ids[1]}")
    assert client.get(path).json()["cover"]["id"] == ids[2]


def test_photos_leave_albums_when_deleted_and_come_back_when_restored(
    site: Site, app_server: AppServer, client: httpx.Client, ids: list[int], album: dict[str, Any]
) -> None:
    library = app_server.library
    app_server.do(library.trash_many(site.owner, [ids[0], ids[2]]))
    assert order_of(client, album["id"]) == [ids[3], ids[1]]
    shown = client.get(f"/api/albums/{album['id']}").json()
    assert (shown["photos"], shown["cover"]["id"]) == (2, ids[3])
    app_server.do(library.restore_many(site.owner, [ids[0], ids[2]]))
    assert order_of(client, album["id"]) == [ids[n] for n in (2, 0, 3, 1)]
    app_server.do(library.delete(site.owner, ids[0]))
    assert order_of(client, album["id"]) == [ids[n] for n in (2, 3, 1)]


def test_deleted_album_leaves_its_photos(
    client: httpx.Client, ids: list[int], album: dict[str, Any]
) -> None:
    path = f"/api/albums/{album['id']}"
    assert client.delete(path).status_code == 204
    assert client.delete(path).status_code == 404
    assert client.get("/api/photos", params={"album": album["id"]}).status_code == 404
    assert len(client.get("/api/photos").json()) == PHOTOS


def test_albums_and_photos_of_others_are_not_found(
    client: httpx.Client, ids: list[int], album: dict[str, Any], app_server: AppServer
) -> None:
    with app_server.site().client() as other:
        path = f"/api/albums/{album['id']}"
        assert other.get("/api/albums").json() == []
        for response in (
            other.get(path),
            other.patch(path, json={"title": "Mine"}),
            other.delete(path),
            other.post(f"{path}/photos", json={"ids": ids}),
            other.delete(f"{path}/photos?ids=1"),
            other.post(f"{path}/order", json={"ids": ids}),
            other.get("/api/photos", params={"album": album["id"]}),
        ):
            assert response.status_code == 404
        made = other.post("/api/albums", json={"title": "Theirs", "ids": ids}).json()
        assert made["photos"] == 0
    assert len(order_of(client, album["id"])) == 4


@pytest.mark.parametrize("id_", ["0", "-1", "x", "1e3", "9" * 30, "%00"])
def test_malformed_ids_are_not_found(client: httpx.Client, id_: str) -> None:
    assert client.get(f"/api/albums/{id_}").status_code == 404
    assert client.get(f"/api/photos?album={id_}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"title": ""}, {"title": " "}, {"title": "x" * 201}, {"title": "a\0b"}),
        *({"title": "a", "ids": [1] * 501}, {"title": "a", "ids": ["x"]}, {"title": 1}),
        {"title": "a", "description": "x" * 5001},
    ],
)
def test_unacceptable_albums_are_refused(client: httpx.Client, body: dict[str, Any]) -> None:
    assert client.post("/api/albums", json=body).status_code == 422
    assert client.get("/api/albums").json() == []


@pytest.mark.parametrize("id_", [0, -1, -(2**63) - 1, 2**63, -(10**400), 10**400])
def test_impossible_ids_of_photos_are_missing(
    client: httpx.Client, ids: list[int], album: dict[str, Any], id_: int
) -> None:
    path = f"/api/albums/{album['id']}"
    for action in ("photos", "order"):
        response = client.post(f"{path}/{action}", json={"ids": [ids[0], id_]})
        if abs(id_) < 10**300:  # larger numbers are no valid JSON for the parser
            assert response.json() == {"done": [ids[0]], "missing": [id_]}
        assert response.status_code in {200, 422}
    assert client.patch(path, json={"cover": id_}).status_code == 422


def test_limits_are_kept(
    client: httpx.Client,
    ids: list[int],
    album: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("safelight.catalog.albums.albums.MAX_ALBUMS", 1)
    monkeypatch.setattr("safelight.catalog.albums.albums.MAX_IN_ALBUM", 5)
    assert "limit" in client.post("/api/albums", json={"title": "One more"}).json()["detail"]
    path = f"/api/albums/{album['id']}"
    assert client.post(f"{path}/photos", json={"ids": ids}).status_code == 422
    assert client.get(path).json()["photos"] == 4
    assert client.post(f"{path}/order", json={"ids": ids, "before": ids[5]}).status_code == 422
    both = client.get("/api/photos", params={"album": album["id"], "q": "a"})
    assert both.status_code == 422


def test_pages_without_scripts_show_albums_in_their_order(
    client: httpx.Client, ids: list[int], album: dict[str, Any]
) -> None:
    page = f"/simple-upload/albums/{album['id']}"
    assert 'href="/simple-upload/albums"' in client.get("/simple-upload").text
    text = client.get("/simple-upload/albums").text
    assert f'href="{page}"' in text
    assert "4 photos" in text
    shown = client.get(page).text
    assert "At the sea" in shown
    found = re.findall(r'href="/simple-upload/(\d+)"', shown)
    assert [int(id_) for id_ in found] == [ids[n] for n in (2, 0, 3, 1)]
    assert client.get("/simple-upload/albums/999999999").status_code == 404
    assert client.get("/simple-upload/albums/x").status_code in {404, 422}
    assert client.get(f"{page}?after=x").status_code == 422

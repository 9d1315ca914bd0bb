"""`GET /api/changes`: another value after each change, and 304 while there is none."""

import io

import httpx

from support import pictures
from support.app_server import AppServer, Site


def _value(client: httpx.Client) -> str:
    answer = client.get("/api/changes")
    assert answer.status_code == 200, answer.text
    value: str = answer.json()["changes"]
    return value


def test_each_change_gives_another_value(
    client: httpx.Client, site: Site, app_server: AppServer
) -> None:
    photo, other = app_server.insert_photos(site.owner, 2)
    one = f"/api/photos/{photo}"
    values = [_value(client)]

    def change(method: str, path: str, **more: object) -> httpx.Response:
        answer = client.request(method, path, **more)  # type: ignore[arg-type]  # keywords of httpx
        assert answer.is_success, answer.text
        value = _value(client)
        assert value not in values, f"{method} {path}"
        values.append(value)
        return answer

    new = change("POST", "/api/photos", files={"photo": io.BytesIO(pictures.png(31, 17))}).json()[
        "id"
    ]
    change("PATCH", one, json={"title": "At the sea"})
    change("PATCH", one, json={"taken_at": "2024-05-06T07:08:09"})
    change("PATCH", f"/api/photos?ids={photo},{other}", json={"shift_seconds": 60})
    change("PATCH", f"/api/photos?ids={new}", json={"rotate": 180})
    album = change("POST", "/api/albums", json={"title": "Summer", "ids": [photo]}).json()["id"]
    change("PATCH", f"/api/albums/{album}", json={"title": "Winter"})
    change("POST", f"/api/albums/{album}/photos", json={"ids": [other]})
    change("POST", f"/api/albums/{album}/order", json={"ids": [other], "before": photo})
    change("DELETE", f"/api/albums/{album}/photos?ids={other}")
    change("DELETE", f"/api/albums/{album}")
    change("DELETE", one)
    change("POST", f"{one}/restore")
    change("POST", f"{one}/revoke-links")
    change("DELETE", f"{one}?permanent=true")
    change("DELETE", f"/api/photos?ids={other}")
    change("DELETE", "/api/trash")


def test_unchanged_photos_are_304(client: httpx.Client, site: Site, app_server: AppServer) -> None:
    (photo,) = app_server.insert_photos(site.owner, 1)
    first = client.get("/api/changes")
    tag = {"If-None-Match": first.headers["ETag"]}
    assert first.headers["Cache-Control"] == "private, no-cache"
    client.get("/api/photos")
    client.get(f"/api/photos/{photo}/original")
    again = client.get("/api/changes", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    client.patch(f"/api/photos/{photo}", json={"title": "x"})
    assert client.get("/api/changes", headers=tag).status_code == 200


def test_changes_of_others_and_failed_ones_change_nothing(
    client: httpx.Client, site: Site, app_server: AppServer
) -> None:
    value = _value(client)
    app_server.insert_photos(f"not {site.owner}", 1)
    assert client.post("/api/photos", files={"photo": b"no picture"}).status_code == 415
    assert client.delete("/api/photos/1000000").status_code == 404
    assert _value(client) == value

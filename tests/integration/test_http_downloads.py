"""Downloads of many originals as one archive."""

import io
import threading
import zipfile
from collections.abc import Iterable
from datetime import timedelta
from itertools import count

import httpx
import pytest
from sqlalchemy import text

from safelight.library import Library
from safelight.library.downloads.downloads import LIFETIME
from support import pictures
from support.app_server import AppServer, Site

_widths = count(30)


def add(client: httpx.Client, name: str = "cat.jpg") -> tuple[int, bytes]:
    data = pictures.jpeg(next(_widths), 20)
    response = client.post("/api/photos", files={"photo": (name, data)})
    return response.json()["id"], data


def create(client: httpx.Client, ids: list[int]) -> dict[str, object]:
    response = client.post("/api/downloads", json={"ids": ids})
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == response.json()["url"]
    made: dict[str, object] = response.json()
    return made


def test_archive_has_the_originals_under_their_names(client: httpx.Client) -> None:
    photos = [add(client, name) for name in ("cat.jpg", "CAT.jpg", "页.html")]
    made = create(client, [id_ for id_, _ in photos] * 2)
    assert (made["photos"], made["missing"], made["filename"]) == (3, [], "photos.zip")
    response = client.get(str(made["url"]), headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Length"] == str(made["size"]) == str(len(response.content))
    assert response.headers["Content-Type"] == "application/zip"
    assert 'filename="photos.zip"' in response.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.namelist() == ["cat.jpg", "CAT (2).jpg", "页.jpg"]
        assert [archive.read(name) for name in archive.namelist()] == [data for _, data in photos]


def test_archive_can_be_resumed_until_it_changes(client: httpx.Client) -> None:
    ids = [add(client)[0] for _ in range(3)]
    url = str(create(client, ids)["url"])
    whole = client.get(url)
    etag = whole.headers["ETag"]
    rest = client.get(url, headers={"Range": "bytes=700-", "If-Range": etag})
    assert rest.status_code == 206
    assert rest.content == whole.content[700:]
    size = len(whole.content)
    assert rest.headers["Content-Range"] == f"bytes 700-{size - 1}/{size}"
    assert client.get(url, headers={"Range": "bytes=-20"}).content == whole.content[-20:]
    beyond = client.get(url, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")
    assert beyond.headers["Content-Range"] == f"bytes */{size}"
    head = client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(size)
    assert client.delete(f"/api/photos/{ids[1]}").status_code == 204
    fresh = client.get(url, headers={"Range": "bytes=700-", "If-Range": etag})
    assert (fresh.status_code, fresh.headers["ETag"] == etag) == (200, False)
    with zipfile.ZipFile(io.BytesIO(fresh.content)) as archive:
        assert len(archive.namelist()) == 2


def test_archive_is_its_owners(client: httpx.Client, app_server: AppServer) -> None:
    id_, _ = add(client)
    url = str(create(client, [id_])["url"])
    with app_server.site().client() as other:
        assert other.get(url).status_code == 404
        assert other.post("/api/downloads", json={"ids": [id_]}).status_code == 404
        foreign, _ = add(other)
    made = create(client, [foreign, id_, 2**62])
    assert (made["photos"], made["missing"]) == (1, [foreign, 2**62])


def test_archive_of_deleted_photos_is_gone(client: httpx.Client) -> None:
    id_, _ = add(client)
    url = str(create(client, [id_])["url"])
    client.delete(f"/api/photos/{id_}")
    assert client.get(url).status_code == 404
    assert client.get("/api/downloads/unknown").json()["code"] == "not_found"


@pytest.mark.parametrize(
    "body", [{"ids": []}, {"ids": [0]}, {"ids": ["1"]}, {"ids": [2**63]}, {}, {"ids": [1] * 10_001}]
)
def test_invalid_request_is_refused(client: httpx.Client, body: dict[str, object]) -> None:
    response = client.post("/api/downloads", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


def test_missing_original_breaks_the_connection(
    client: httpx.Client, app_server: AppServer, site: Site
) -> None:
    """The client must not take half of an archive for a whole one."""

    def delete_original(photo_id: int) -> None:
        names = {id_: name for id_, _, name in app_server.rows(site.owner)}
        key = f"photos/{names[photo_id]}/original"
        app_server.do(app_server.library.backends.bucket.delete([key]))

    ids = [add(client)[0] for _ in range(2)]
    url = str(create(client, ids)["url"])
    delete_original(ids[1])
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(url)
    delete_original(ids[0])
    assert client.get(url).json()["code"] == "storage_unavailable"


async def test_photo_with_a_new_key_is_still_found(memory_library: Library) -> None:
    library = memory_library
    data = pictures.jpeg(60, 40)
    added = await library.add("anna", data)
    download = await library.create_download("anna", [added.photo.id])
    opened = await library.open_download("anna", download.token)
    parts = opened.read()
    old = added.photo.storage_id
    new = old[::-1]
    bucket, catalog = library.backends.bucket, library.backends.catalog
    await bucket.copy(f"photos/{old}/original", f"photos/{new}/original")
    await bucket.delete([f"photos/{old}/original"])
    statement = text("UPDATE safelight_photos SET name = :new WHERE name = :old")
    await catalog.transaction(lambda c: c.execute(statement, {"new": new, "old": old}))
    assert data in b"".join([part async for part in parts])


async def test_names_are_computed_outside_the_event_loop(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def record(names: Iterable[str]) -> list[str]:
        threads.append(threading.current_thread())
        return list(names)

    monkeypatch.setattr("safelight.library.downloads.downloads.unique_names", record)
    added = await memory_library.add("alice", pictures.jpeg())
    await memory_library.create_download("alice", [added.photo.id])
    assert threads
    assert threading.current_thread() not in threads


async def test_downloads_expire_and_are_limited(memory_library: Library) -> None:
    library = memory_library
    photo = (await library.add("anna", pictures.jpeg(61, 40))).photo
    download = await library.create_download("anna", [photo.id])
    assert download.expires_at - library.now() > LIFETIME - timedelta(minutes=5)
    catalog = library.backends.catalog
    opened = await library.open_download("anna", download.token)
    running = [opened.read() for _ in range(5)]
    for parts in running[:4]:
        await anext(parts)
    with pytest.raises(Exception, match="Too many downloads"):
        await anext(running[4])
    for parts in running:
        await parts.aclose()
    assert [part async for part in opened.read()]
    for _ in range(100):
        await library.create_download("anna", [photo.id])
    with pytest.raises(Exception, match="no such download"):
        await library.open_download("anna", download.token)
    await catalog.downloads.delete_expired(now=library.now() + LIFETIME)
    left = await catalog.read(lambda c: c.scalar(text("SELECT count(*) FROM safelight_downloads")))
    assert left == 0

"""GET /api/photos: pages, orders, ETags."""

import gzip
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from safelight.catalog import Page
from safelight.web.api.photo_json import PhotoSerializer
from support import pictures
from support.app_server import AppServer, Site
from support.raw_http import raw_request


def follow_pages(client: httpx.Client, address: str) -> Iterator[list[int]]:
    """Yield the ids of each page, following the links to the next."""
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        yield [photo["id"] for photo in answer.json()]
        found = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
        address = found[1] if found else ""


def test_empty_library_is_an_empty_array(client: httpx.Client) -> None:
    answer = client.get("/api/photos")
    assert answer.json() == []
    assert "Link" not in answer.headers
    assert answer.headers["Content-Type"] == "application/json"


def test_list_is_an_array_newest_first(client: httpx.Client) -> None:
    made = [
        client.post("/api/photos", files={"photo": data}).json()
        for data in (pictures.jpeg(), pictures.png(), pictures.gif())
    ]
    assert client.get("/api/photos").json() == made[::-1]


def test_order_taken_uses_capture_time_or_else_upload_time(client: httpx.Client) -> None:
    def upload(taken_at: str | None, offset: str | None = None, width: int = 64) -> int:
        data = pictures.jpeg(width, 48, exif=pictures.exif(1, taken_at, offset))
        return int(client.post("/api/photos", files={"photo": data}).json()["id"])

    middle = upload("2020:01:01 12:00:00", "+00:00")
    undated = upload(None)
    oldest = upload("2019:06:01 00:00:00")
    later = upload("2020:01:01 12:30:00", "+01:00")
    earlier = upload("2020:01:01 11:30:00", "-01:00")
    listed = [photo["id"] for photo in client.get("/api/photos?order=taken").json()]
    assert listed == [undated, later, middle, earlier, oldest]


@pytest.mark.parametrize("order", ["added", "taken"])
@pytest.mark.parametrize(("count", "limit"), [(250, 100), (7, 1), (100, 100), (101, 100)])
def test_pages_list_every_photo_once(  # noqa: PLR0917  fixtures and parameters
    app_server: AppServer, site: Site, client: httpx.Client, order: str, count: int, limit: int
) -> None:
    inserted = app_server.insert_photos(site.owner, count)
    pages = list(follow_pages(client, f"/api/photos?limit={limit}&order={order}"))
    assert [id_ for page in pages for id_ in page] == inserted[::-1]
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1]


def test_default_page_has_100_photos(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    app_server.insert_photos(site.owner, 101)
    assert [len(page) for page in follow_pages(client, "/api/photos")] == [100, 1]


def test_paging_skips_and_repeats_nothing_during_changes(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    inserted = app_server.insert_photos(site.owner, 300)
    to_delete = set(inserted[::7])
    seen: list[int] = []
    for number, page in enumerate(follow_pages(client, "/api/photos?limit=20")):
        seen += page
        app_server.insert_photos(site.owner, 3)
        for id_ in sorted(to_delete)[number * 3 : number * 3 + 3]:
            assert client.delete(f"/api/photos/{id_}").status_code == 204
    assert len(seen) == len(set(seen))
    assert set(inserted) - to_delete <= set(seen)
    assert sorted(seen, reverse=True) == seen


def test_photos_with_the_same_time_are_all_listed(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    began = app_server.library.now()
    inserted = [
        id_ for _ in range(9) for id_ in app_server.insert_photos(site.owner, 1, began=began)
    ]
    assert [
        id_ for page in follow_pages(client, "/api/photos?limit=2") for id_ in page
    ] == inserted[::-1]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=501",
        "limit=many",
        "limit=1e9",
        "order=name",
        "links=half",
        "order=",
        "after=",
        "after=x",
        "after=%00",
        "after=%F0%9F%98%80",
        "after=" + "A" * 4000,
        "after=YQAAAAAAAAAAAAAAAAAAAAA",  # a cursor without a time: a, 0, 0
        "after=Yf_______-________________",
        "after=YX__________f_________8",
        "after=YYAAAAAAAAAAAAAAAAAAAAA",
        "order=taken&after=dAAAAAAAAAAAAAAAAAAAAAA",  # a cursor of version 0.1: t, 0, 0
    ],
)
def test_undocumented_query_is_refused(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/api/photos?{query}")
    if query.startswith("after=YQ"):
        assert answer.json() == []
        return
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_cursor_of_the_other_order_is_refused(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    app_server.insert_photos(site.owner, 2)
    link = client.get("/api/photos?limit=1").headers["Link"]
    other = link[1:].partition(">")[0].replace("order=added", "order=taken")
    assert client.get(other).json()["code"] == "invalid_request"


def test_unchanged_list_is_a_304(client: httpx.Client) -> None:
    client.post("/api/photos", files={"photo": pictures.jpeg()})
    first = client.get("/api/photos")
    tag = first.headers["ETag"]
    for condition in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get("/api/photos", headers={"If-None-Match": condition})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tag
    assert client.get("/api/photos", headers={"If-None-Match": '"other"'}).json() == first.json()


def test_etag_changes_with_the_list(client: httpx.Client) -> None:
    tags = [client.get("/api/photos").headers["ETag"]]
    where = client.post("/api/photos", files={"photo": pictures.jpeg()}).headers["Location"]
    tags.append(client.get("/api/photos").headers["ETag"])
    client.patch(where, json={"title": "New"})
    tags.append(client.get("/api/photos").headers["ETag"])
    client.patch(where, json={"title": "Newer"})
    tags.append(client.get("/api/photos").headers["ETag"])
    assert len(set(tags)) == 4
    client.delete(where)
    assert client.get("/api/photos").headers["ETag"] == tags[0]


def test_list_is_compressed_if_the_client_accepts_gzip(app_server: AppServer, site: Site) -> None:
    app_server.insert_photos(site.owner, 20)
    plain = raw_request(site, b"GET", b"/api/photos")
    packed = raw_request(site, b"GET", b"/api/photos", b"Accept-Encoding: gzip")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2
    assert "accept-encoding" in plain.headers["vary"].lower()


def join_urls(page: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a page whose links are in parts as the plain list has it."""
    photos = []
    for photo in page["photos"]:
        names = ("group", "folder", "date", "shown", "original")
        index, folder, date, shown, original = (photo.pop(name) for name in names)
        group = page["groups"][index]
        start, end = group["base"] + folder, group["before"] + date + group["after"]
        urls = {"original": start + group["original"] + end + original}
        for common, rendition in zip(group["renditions"], photo["renditions"], strict=True):
            url = start + common["path"] + end + rendition.pop("signature")
            rendition |= {"name": common["name"], "content_type": common["content_type"]}
            urls[common["name"]] = rendition["url"] = url
        photos.append({**photo, "original_url": urls["original"], "photo_url": urls[shown]})
    return photos


def test_links_in_parts_are_those_of_the_plain_list(client: httpx.Client) -> None:
    for data in (pictures.jpeg(1_400, 900), pictures.gif(), pictures.jpeg(700, 900)):
        assert client.post("/api/photos", files={"photo": data}).status_code == 201
    plain, parts = client.get("/api/photos"), client.get("/api/photos?links=parts")
    assert join_urls(parts.json()) == plain.json()
    assert client.get("/api/photos?links=full").content == plain.content
    # Three photos share little; a page of a hundred has less than half.
    assert len(parts.content) < len(plain.content) * 0.7
    for photo in plain.json():
        assert httpx.get(photo["photo_url"]).status_code == 200


def test_page_of_links_in_parts_has_what_they_have_in_common_once(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    """Links are signed on two days at most: their windows start throughout the day."""
    app_server.insert_photos(site.owner, 60)
    page = client.get("/api/photos?links=parts").json()
    assert len(page["groups"]) <= 2
    assert {photo["group"] for photo in page["photos"]} == set(range(len(page["groups"])))
    assert join_urls(page) == client.get("/api/photos").json()
    assert client.get("/api/photos?links=parts&skip=60").json() == {"groups": [], "photos": []}


def test_each_form_of_the_list_has_its_own_etag(client: httpx.Client) -> None:
    where = client.post("/api/photos", files={"photo": pictures.jpeg()}).headers["Location"]
    addresses = ("/api/photos", "/api/photos?links=parts")
    tags = [client.get(address).headers["ETag"] for address in addresses]
    assert tags[0] != tags[1]
    for address, own, other in zip(addresses, tags, tags[::-1], strict=True):
        assert client.get(address, headers={"If-None-Match": own}).status_code == 304
        assert client.get(address, headers={"If-None-Match": other}).status_code == 200
    client.patch(where, json={"title": "New"})
    for address, tag in zip(addresses, tags, strict=True):
        again = client.get(address, headers={"If-None-Match": tag})
        assert again.status_code == 200
        assert again.headers["ETag"] != tag


def test_next_page_has_the_same_form(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    inserted = app_server.insert_photos(site.owner, 5)
    link = client.get("/api/photos?limit=2&links=parts").headers["Link"]
    page = client.get(link[1:].partition(">")[0]).json()
    assert [photo["id"] for photo in page["photos"]] == inserted[1:3][::-1]


def test_change_shows_in_the_list_at_once(client: httpx.Client) -> None:
    where = client.post("/api/photos", files={"photo": pictures.jpeg()}).headers["Location"]
    client.get("/api/photos")
    client.patch(where, json={"title": "Changed"})
    assert [photo["title"] for photo in client.get("/api/photos").json()] == ["Changed"]
    client.delete(where)
    assert client.get("/api/photos").json() == []


def test_page_is_complete_with_a_tiny_cache(app_server: AppServer, site: Site) -> None:
    """New entries of a page may evict cached entries of the same page."""
    inserted = app_server.insert_photos(site.owner, 5)
    views = PhotoSerializer(app_server.library, capacity=3)
    for limit in (2, 5, 3, 5):
        page = app_server.do(app_server.library.page(site.owner, limit=limit))
        now = app_server.library.now()
        view = app_server.do(views.page(site.owner, page, endpoint=None, now=now))
        assert [photo["id"] for photo in json.loads(view.json)] == inserted[::-1][:limit]


def test_photo_deleted_while_its_page_is_assembled_is_left_out(
    app_server: AppServer, site: Site
) -> None:
    inserted = app_server.insert_photos(site.owner, 3)
    library, views = app_server.library, PhotoSerializer(app_server.library)

    def shown(page: Page) -> list[int]:
        view = app_server.do(views.page(site.owner, page, endpoint=None, now=library.now()))
        return [photo["id"] for photo in json.loads(view.json)]

    assert shown(app_server.do(library.page(site.owner))) == inserted[::-1]
    app_server.do(library.edit(site.owner, inserted[1], title="x"))
    page = app_server.do(library.page(site.owner))
    app_server.do(library.delete(site.owner, inserted[1]))
    assert shown(page) == [inserted[2], inserted[0]]

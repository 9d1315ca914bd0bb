"""GET /api/photos: pages, orders, tags."""

import gzip
import json
import re
from collections.abc import Iterator

import httpx
import pytest

import pictures
from integration.served import House, Site
from integration.wire import asked
from safelight.catalog import Page
from safelight.web.views import Views


def walk(client: httpx.Client, address: str) -> Iterator[list[int]]:
    """Give the ids of each page, from link to link."""
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        yield [photo["id"] for photo in answer.json()]
        found = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
        address = found[1] if found else ""


def test_an_empty_library_is_an_empty_array(client: httpx.Client) -> None:
    answer = client.get("/api/photos")
    assert answer.json() == []
    assert "Link" not in answer.headers
    assert answer.headers["Content-Type"] == "application/json"


def test_the_list_is_an_array_newest_first(client: httpx.Client) -> None:
    made = [
        client.post("/api/photos", files={"photo": data}).json()
        for data in (pictures.jpeg(), pictures.png(), pictures.gif())
    ]
    assert client.get("/api/photos").json() == made[::-1]


def test_order_taken_goes_by_capture_time_and_else_by_when_it_came(client: httpx.Client) -> None:
    def upload(taken_at: str | None, offset: str | None = None, width: int = 64) -> int:
        data = pictures.jpeg(width, 48, exif=pictures.exif(1, taken_at, offset))
        return int(client.post("/api/photos", files={"photo": data}).json()["id"])

    middle = upload("2020:01:01 12:00:00", "+00:00")
    untold = upload(None)
    oldest = upload("2019:06:01 00:00:00")
    later = upload("2020:01:01 12:30:00", "-01:00")
    earlier = upload("2020:01:01 12:30:00", "+01:00")
    listed = [photo["id"] for photo in client.get("/api/photos?order=taken").json()]
    assert listed == [untold, later, middle, earlier, oldest]


@pytest.mark.parametrize("order", ["added", "taken"])
@pytest.mark.parametrize(("count", "limit"), [(250, 100), (7, 1), (100, 100), (101, 100)])
def test_the_pages_give_every_photo_once(  # noqa: PLR0917  fixtures and parameters
    a_house: House, site: Site, client: httpx.Client, order: str, count: int, limit: int
) -> None:
    planted = a_house.plant(site.owner, count)
    pages = list(walk(client, f"/api/photos?limit={limit}&order={order}"))
    assert [id_ for page in pages for id_ in page] == planted[::-1]
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1]


def test_a_page_has_a_hundred_photos_unless_told_otherwise(
    a_house: House, site: Site, client: httpx.Client
) -> None:
    a_house.plant(site.owner, 101)
    assert [len(page) for page in walk(client, "/api/photos")] == [100, 1]


def test_the_walk_loses_and_doubles_none_while_others_come_and_go(
    a_house: House, site: Site, client: httpx.Client
) -> None:
    planted = a_house.plant(site.owner, 300)
    doomed = set(planted[::7])
    seen: list[int] = []
    for number, page in enumerate(walk(client, "/api/photos?limit=20")):
        seen += page
        a_house.plant(site.owner, 3)
        for id_ in sorted(doomed)[number * 3 : number * 3 + 3]:
            assert client.delete(f"/api/photos/{id_}").status_code == 204
    assert len(seen) == len(set(seen))
    assert set(planted) - doomed <= set(seen)
    assert sorted(seen, reverse=True) == seen


def test_photos_of_the_same_moment_are_all_listed(
    a_house: House, site: Site, client: httpx.Client
) -> None:
    began = a_house.library.now()
    planted = [id_ for _ in range(9) for id_ in a_house.plant(site.owner, 1, began=began)]
    assert [id_ for page in walk(client, "/api/photos?limit=2") for id_ in page] == planted[::-1]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=501",
        "limit=many",
        "limit=1e9",
        "order=name",
        "order=",
        "after=",
        "after=x",
        "after=%00",
        "after=%F0%9F%98%80",
        "after=" + "A" * 4000,
        "after=YQAAAAAAAAAAAAAAAAAAAAA",  # a cursor of no time at all: a, 0, 0
        "after=Yf_______-________________",
        "after=YX__________f_________8",
        "after=YYAAAAAAAAAAAAAAAAAAAAA",
    ],
)
def test_a_query_that_is_not_documented_is_refused(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/api/photos?{query}")
    if query.startswith("after=YQ"):
        assert answer.json() == []
        return
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_cursor_of_the_other_order_is_refused(
    a_house: House, site: Site, client: httpx.Client
) -> None:
    a_house.plant(site.owner, 2)
    link = client.get("/api/photos?limit=1").headers["Link"]
    other = link[1:].partition(">")[0].replace("order=added", "order=taken")
    assert client.get(other).json()["code"] == "invalid_request"


def test_a_list_that_has_not_changed_is_not_sent_again(client: httpx.Client) -> None:
    client.post("/api/photos", files={"photo": pictures.jpeg()})
    first = client.get("/api/photos")
    tag = first.headers["ETag"]
    for told in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get("/api/photos", headers={"If-None-Match": told})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tag
    assert client.get("/api/photos", headers={"If-None-Match": '"other"'}).json() == first.json()


def test_the_tag_of_a_list_changes_with_it(client: httpx.Client) -> None:
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


def test_a_list_is_compressed_for_those_who_ask(a_house: House, site: Site) -> None:
    a_house.plant(site.owner, 20)
    plain = asked(site, b"GET", b"/api/photos")
    packed = asked(site, b"GET", b"/api/photos", b"Accept-Encoding: gzip")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2
    assert "accept-encoding" in plain.headers["vary"].lower()


def test_a_change_shows_in_the_list_at_once(client: httpx.Client) -> None:
    where = client.post("/api/photos", files={"photo": pictures.jpeg()}).headers["Location"]
    client.get("/api/photos")
    client.patch(where, json={"title": "Changed"})
    assert [photo["title"] for photo in client.get("/api/photos").json()] == ["Changed"]
    client.delete(where)
    assert client.get("/api/photos").json() == []


def test_a_page_is_whole_however_little_is_kept_of_what_was_rendered(
    a_house: House, site: Site
) -> None:
    """What is rendered for a page may push out what was kept for the same page."""
    planted = a_house.plant(site.owner, 5)
    views = Views(a_house.library, capacity=3)
    for limit in (2, 5, 3, 5):
        page = a_house.do(a_house.library.page(site.owner, limit=limit))
        now = a_house.library.now()
        view = a_house.do(views.page(site.owner, page, endpoint=None, now=now))
        assert [photo["id"] for photo in json.loads(view.json)] == planted[::-1][:limit]


def test_a_photo_that_goes_while_its_page_is_put_together_is_left_out(
    a_house: House, site: Site
) -> None:
    planted = a_house.plant(site.owner, 3)
    library, views = a_house.library, Views(a_house.library)

    def shown(page: Page) -> list[int]:
        view = a_house.do(views.page(site.owner, page, endpoint=None, now=library.now()))
        return [photo["id"] for photo in json.loads(view.json)]

    assert shown(a_house.do(library.page(site.owner))) == planted[::-1]
    a_house.do(library.edit(site.owner, planted[1], title="x"))
    page = a_house.do(library.page(site.owner))
    a_house.do(library.delete(site.owner, planted[1]))
    assert shown(page) == [planted[2], planted[0]]

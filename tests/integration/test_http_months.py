"""GET /api/photos/months, and pages that begin at a month or after a number of photos."""

from datetime import UTC, datetime
from itertools import accumulate
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from safelight.catalog import catalog
from support import pictures
from support.app_server import AppServer, Site

COUNTS = {(2024, 12): 3, (2024, 11): 1, (2023, 2): 70, (1969, 12): 2}


@pytest.fixture
def photo_ids(app_server: AppServer, site: Site) -> list[int]:
    """The ids of photos of four months, newest first."""
    ids: list[int] = []
    for (year, month), count in reversed(COUNTS.items()):
        began = datetime(year, month, 28, 23, 59, tzinfo=UTC)
        ids += app_server.insert_photos(site.owner, count, began=began)
    return ids[::-1]


def list_ids(client: httpx.Client, **query: str | int) -> list[int]:
    answer = client.get("/api/photos", params={"order": "taken", "limit": 500, **query})
    assert answer.status_code == 200, answer.text
    return [photo["id"] for photo in answer.json()]


def test_months_are_counted_newest_first(client: httpx.Client, photo_ids: list[int]) -> None:
    months = client.get("/api/photos/months").json()
    assert {(each["month"], each["count"]) for each in months} == {
        (f"{year}-{month:02}", count) for (year, month), count in COUNTS.items()
    }
    assert [each["month"] for each in months] == sorted(
        (each["month"] for each in months), reverse=True
    )


def test_page_after_a_months_cursor_starts_with_that_month(
    client: httpx.Client, photo_ids: list[int]
) -> None:
    months = client.get("/api/photos/months", params={"order": "taken"}).json()
    begins = [0, *accumulate(each["count"] for each in months)]
    for month, begin in zip(months, begins, strict=False):
        assert list_ids(client, after=month["after"]) == photo_ids[begin:]
        assert list_ids(client, after=month["after"], skip=2, limit=3) == photo_ids[begin + 2 :][:3]


def test_skip_without_a_cursor_counts_from_the_newest(
    client: httpx.Client, photo_ids: list[int]
) -> None:
    assert list_ids(client, skip=10, limit=5) == photo_ids[10:15]
    assert list_ids(client, skip=1_000) == []


def test_large_skips_reach_the_same_photos(
    client: httpx.Client, photo_ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "SKIP_MONTHS_AT", 1)
    for skip in (1, 2, 3, 4, 5, 60, 74, 75, 76, 1_000_000):
        assert list_ids(client, skip=skip) == photo_ids[skip:]
    second = client.get("/api/photos/months").json()[1]
    for skip in (1, 2, 70, 71, 72, 73, 1_000_000):
        assert list_ids(client, after=second["after"], skip=skip) == photo_ids[3 + skip :]
    link = client.get("/api/photos", params={"order": "taken", "limit": 5}).links["next"]["url"]
    after = parse_qs(urlsplit(link).query)["after"][0]
    assert list_ids(client, after=after, skip=3) == photo_ids[8:]
    added = client.get("/api/photos", params={"limit": 500, "skip": 10}).json()
    assert [photo["id"] for photo in added] == photo_ids[10:]


def test_next_page_continues_after_a_skip(client: httpx.Client, photo_ids: list[int]) -> None:
    link = client.get("/api/photos", params={"order": "taken", "skip": 10, "limit": 5}).links[
        "next"
    ]["url"]
    assert "skip" not in urlsplit(link).query
    assert [photo["id"] for photo in client.get(link).json()] == photo_ids[15:20]


@pytest.mark.parametrize("skip", ["-1", "1000001", "x"])
def test_invalid_skip_is_refused(client: httpx.Client, skip: str) -> None:
    answer = client.get("/api/photos", params={"skip": skip})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_each_order_has_its_own_months(client: httpx.Client) -> None:
    data = pictures.jpeg(64, 48, exif=pictures.exif(1, "2001:02:03 04:05:06"))
    photo = client.post("/api/photos", files={"photo": data}).json()
    (taken,) = client.get("/api/photos/months").json()
    (added,) = client.get("/api/photos/months", params={"order": "added"}).json()
    assert taken["month"] == "2001-02"
    assert added["month"] == photo["created_at"][:7]
    other = client.get("/api/photos", params={"order": "taken", "after": added["after"]})
    assert other.status_code == 422, "a cursor is valid for one order"


def test_etag_changes_with_the_months(client: httpx.Client) -> None:
    assert client.get("/api/photos/months").json() == []
    client.post("/api/photos", files={"photo": pictures.jpeg(33, 22)})
    tag = client.get("/api/photos/months").headers["etag"]
    same = client.get("/api/photos/months", headers={"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    client.post("/api/photos", files={"photo": pictures.jpeg(33, 23)})
    assert client.get("/api/photos/months").headers["etag"] != tag


def test_months_count_only_the_owners_photos(app_server: AppServer, client: httpx.Client) -> None:
    app_server.insert_photos("another-owner", 3)
    assert client.get("/api/photos/months").json() == []


def test_original_is_downloaded_under_its_filename(client: httpx.Client) -> None:
    data = pictures.jpeg(77, 55)
    name = 'Üb"er;\n\u202efall.html'
    added = client.post("/api/photos", files={"photo": (name, data)}).json()
    address = f"/api/photos/{added['id']}/original"
    answer = client.get(address, params={"download": "true"}, follow_redirects=False)
    assert answer.status_code == 307
    saved = httpx.get(answer.headers["location"])
    assert saved.content == data
    written = saved.headers["content-disposition"]
    assert written == (
        "attachment; filename=\"Ub_er;fall.jpg\"; filename*=UTF-8''%C3%9Cb_er%3Bfall.jpg"
    )
    shown = client.get(address, follow_redirects=False).headers["location"]
    assert "response-content-disposition" not in shown


def test_photo_has_camera_and_located_fields(client: httpx.Client) -> None:
    exif = pictures.exif()
    exif[0x010F], exif[0x0110] = "NIKON CORPORATION", "NIKON Z 6"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    data = pictures.jpeg(78, 55, exif=exif)
    photo = client.post("/api/photos", files={"photo": data}).json()
    assert (photo["camera"], photo["located"], photo["duration"]) == ("NIKON Z 6", True, None)
    plain = client.post("/api/photos", files={"photo": pictures.jpeg(79, 55)}).json()
    assert (plain["camera"], plain["located"]) == (None, False)

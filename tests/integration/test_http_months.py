"""GET /api/photos/months, and pages that begin anywhere."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

import pictures
from integration.served import House, Site
from safelight.catalog.queries import MONTHS
from safelight.photo import Order

COUNTS = {(2024, 12): 3, (2024, 11): 1, (2023, 2): 70, (1969, 12): 2}


@pytest.fixture
def planted(a_house: House, site: Site) -> list[int]:
    """Photos of four months; their ids, the newest first."""
    ids: list[int] = []
    for (year, month), count in reversed(COUNTS.items()):
        began = datetime(year, month, 28, 23, 59, tzinfo=UTC)
        ids += a_house.plant(site.owner, count, began=began)
    return ids[::-1]


def listed(client: httpx.Client, **query: str | int) -> list[int]:
    answer = client.get("/api/photos", params={"order": "taken", "limit": 500, **query})
    assert answer.status_code == 200, answer.text
    return [photo["id"] for photo in answer.json()]


def test_months_are_counted_newest_first(client: httpx.Client, planted: list[int]) -> None:
    told = client.get("/api/photos/months").json()
    assert {(each["month"], each["count"]) for each in told} == {
        (f"{year}-{month:02}", count) for (year, month), count in COUNTS.items()
    }
    assert [each["month"] for each in told] == sorted(
        (each["month"] for each in told), reverse=True
    )


def test_a_page_after_a_months_cursor_begins_with_the_month(
    client: httpx.Client, planted: list[int]
) -> None:
    months = client.get("/api/photos/months", params={"order": "taken"}).json()
    begins = [0, *accumulate(each["count"] for each in months)]
    for month, begin in zip(months, begins, strict=False):
        assert listed(client, after=month["after"]) == planted[begin:]
        assert listed(client, after=month["after"], skip=2, limit=3) == planted[begin + 2 :][:3]


def test_what_is_skipped_counts_from_the_top_without_a_cursor(
    client: httpx.Client, planted: list[int]
) -> None:
    assert listed(client, skip=10, limit=5) == planted[10:15]
    assert listed(client, skip=1_000) == []


def test_the_page_after_one_that_skipped_goes_on_from_there(
    client: httpx.Client, planted: list[int]
) -> None:
    link = client.get("/api/photos", params={"order": "taken", "skip": 10, "limit": 5}).links[
        "next"
    ]["url"]
    assert "skip" not in urlsplit(link).query
    assert [photo["id"] for photo in client.get(link).json()] == planted[15:20]


@pytest.mark.parametrize("skip", ["-1", "1000001", "x"])
def test_a_skip_that_cannot_be_is_refused(client: httpx.Client, skip: str) -> None:
    answer = client.get("/api/photos", params={"skip": skip})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_each_order_has_its_own_months(client: httpx.Client) -> None:
    data = pictures.jpeg(64, 48, exif=pictures.exif(1, "2001:02:03 04:05:06"))
    client.post("/api/photos", files={"photo": data})
    (taken,) = client.get("/api/photos/months").json()
    (added,) = client.get("/api/photos/months", params={"order": "added"}).json()
    assert taken["month"] == "2001-02"
    assert added["month"] == f"{datetime.now(UTC):%Y-%m}"
    other = client.get("/api/photos", params={"order": "taken", "after": added["after"]})
    assert other.status_code == 422, "a cursor is of one order alone"


def test_months_carry_a_tag_that_changes_with_them(client: httpx.Client) -> None:
    assert client.get("/api/photos/months").json() == []
    client.post("/api/photos", files={"photo": pictures.jpeg(33, 22)})
    tag = client.get("/api/photos/months").headers["etag"]
    same = client.get("/api/photos/months", headers={"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    client.post("/api/photos", files={"photo": pictures.jpeg(33, 23)})
    assert client.get("/api/photos/months").headers["etag"] != tag


def test_nobody_counts_anothers_photos(a_house: House, client: httpx.Client) -> None:
    a_house.plant("somebody-else", 3)
    assert client.get("/api/photos/months").json() == []


def test_months_are_counted_from_the_index_alone(a_house: House, site: Site) -> None:
    a_house.plant(site.owner, 500, began=datetime.now(UTC) - timedelta(days=300))
    assert site.settings.database_url
    url = site.settings.database_url.get_secret_value()
    # Without statistics every index that begins with the owner looks as cheap as this one.
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE safelight_photos")

    async def explained(connection: AsyncConnection) -> str:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        query = MONTHS[Order.TAKEN]
        rows = await connection.exec_driver_sql(f"EXPLAIN {query.sql}", {"owner": site.owner})
        return "\n".join(rows.scalars())

    plan = a_house.do(a_house.library.parts.catalog._database.transaction(explained))
    assert "Index Only Scan using safelight_photos_taken_idx" in plan


def test_the_original_can_be_saved_under_its_name(client: httpx.Client) -> None:
    data = pictures.jpeg(77, 55)
    name = 'Üb"er;\nfall.jpg'
    added = client.post("/api/photos", files={"photo": (name, data)}).json()
    address = f"/api/photos/{added['id']}/original"
    answer = client.get(address, params={"download": "true"}, follow_redirects=False)
    assert answer.status_code == 307
    saved = httpx.get(answer.headers["location"])
    assert saved.content == data
    written = saved.headers["content-disposition"]
    assert written.startswith("attachment; filename*=UTF-8''%C3%9Cb%22er%3B")
    assert written.isascii()
    shown = client.get(address, follow_redirects=False).headers["location"]
    assert "response-content-disposition" not in shown


def test_the_facts_name_the_camera_and_whether_there_is_a_place(client: httpx.Client) -> None:
    told = pictures.exif()
    told[0x010F], told[0x0110] = "NIKON CORPORATION", "NIKON Z 6"
    told.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    data = pictures.jpeg(78, 55, exif=told)
    photo = client.post("/api/photos", files={"photo": data}).json()
    assert (photo["camera"], photo["located"], photo["duration"]) == ("NIKON Z 6", True, None)
    plain = client.post("/api/photos", files={"photo": pictures.jpeg(79, 55)}).json()
    assert (plain["camera"], plain["located"]) == (None, False)

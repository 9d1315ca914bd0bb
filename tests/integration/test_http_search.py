"""`GET /api/photos?q=`: photos are found by their words and dates, by their owner alone."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safelight.engines import EmbeddedEngines
from support.app_server import AppServer, Site
from support.filled_months import fill_months

HOSTILE = [
    *("'", "''", '"', "\\", "a' OR '1'='1", "beach:*", "!beach", "a & b | !c <-> d", "(((", ":*"),
    *("%", "_", "%s", ":owner", "$1", "\x01", "\u202egpj", "\ud83c\udfd6", "é" * 200, "@2019"),
    *("😀", "-- ", "/* */", "\t", "x" * 200, "&q=1", "2019-", "\ufeff"),
]


@pytest.fixture
def photos(site: Site, app_server: AppServer, engines: EmbeddedEngines) -> dict[str, int]:
    """Photos with different texts and dates; their ids by the title."""
    rows = [
        ("Beach at dawn", "Sand between the toes", "IMG_2041.jpg", "2019-05-07 10:00", "Canon"),
        ("Zoë's café", "", "Müller-straße.png", "2019-06-01 10:00", "FUJIFILM X100V"),
        ("Mountains", "A beach far below", "DSC-RX100_7.heic", "2021-05-02 10:00", None),
        ("桜と富士山", "", "scan.jpg", None, "SONY"),
        ("Plain", 'it\'s 100% "quoted"', "PXL_20220103_1.jpg", "2022-01-03 10:00", "Pixel 6"),
    ]
    with psycopg.connect(engines.database_url, autocommit=True) as connection:
        for n, (title, description, filename, taken, model) in enumerate(rows):
            connection.execute(
                "INSERT INTO safelight_photos (owner, status, name, title, description, filename,"
                " reserved_at, created_at, size, sha256, format, content_type, width, height,"
                " frames, taken_at, sort_at, details) VALUES (%(o)s, 'ready', md5(%(o)s || %(n)s),"
                " %(t)s, %(d)s, %(f)s, now(), %(at)s, 1, %(o)s || %(n)s, 'jpeg', 'image/jpeg', 4,"
                " 3, 1, %(taken)s, now(), jsonb_build_object('camera_model', %(m)s::text))",
                {
                    "o": site.owner,
                    "n": str(n),
                    "t": title,
                    "d": description,
                    "f": filename,
                    "taken": taken,
                    "m": model,
                    "at": datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=n),
                },
            )
        found = connection.execute(
            "SELECT title, id FROM safelight_photos WHERE owner = %s", (site.owner,)
        ).fetchall()
    return dict(found)


def find(client: httpx.Client, query: str, **more: Any) -> list[str]:
    response = client.get("/api/photos", params={"q": query, **more})
    assert response.status_code == 200, response.text
    return [photo["title"] for photo in response.json()]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("beach", ["Mountains", "Beach at dawn"]),
        ("BEA", ["Mountains", "Beach at dawn"]),
        ("bea dawn", []),
        ("dawn bea", ["Beach at dawn"]),
        ("2041", ["Beach at dawn"]),
        ("IMG_2041", ["Beach at dawn"]),
        ("img2041.jpg", ["Beach at dawn"]),
        ("41", []),
        ("rx100", ["Mountains"]),
        ("zoe cafe", ["Zoë's café"]),
        ("Muller strasse", ["Zoë's café"]),
        ("x100", ["Zoë's café"]),
        ("canon", ["Beach at dawn"]),
        ("富士", ["桜と富士山"]),
        ("2019", ["Zoë's café", "Beach at dawn"]),
        ("May 2019", ["Beach at dawn"]),
        ("Mai 2019", ["Beach at dawn"]),
        ("2019-05", ["Beach at dawn"]),
        ("2019-05-07", ["Beach at dawn"]),
        ("may", ["Mountains", "Beach at dawn"]),
        ("beach 2021", ["Mountains"]),
        ("it's", ["Plain"]),
        ("100% quoted", ["Plain"]),
        ("...", []),
    ],
)
def test_words_and_dates_find_photos(
    client: httpx.Client, photos: dict[str, int], query: str, expected: list[str]
) -> None:
    assert find(client, query) == expected
    assert sorted(find(client, query, order="taken")) == sorted(expected)
    months = client.get("/api/photos/months", params={"q": query}).json()
    assert sum(month["count"] for month in months) == len(expected)


def test_changes_deletion_and_trash_are_followed(
    client: httpx.Client, photos: dict[str, int], engines: EmbeddedEngines
) -> None:
    id_ = photos["Beach at dawn"]
    client.patch(f"/api/photos/{id_}", json={"title": "Lighthouse", "taken_at": "2010-02-03T04:05"})
    assert find(client, "lighthouse 2010-02") == ["Lighthouse"]
    assert find(client, "dawn") == find(client, "May 2019") == []
    with psycopg.connect(engines.database_url, autocommit=True) as connection:
        trash = "UPDATE safelight_photos SET trashed_at = %s WHERE id = %s"
        connection.execute(trash, (datetime.now(UTC), id_))
        assert find(client, "lighthouse") == []
        connection.execute(trash, (None, id_))
    assert find(client, "lighthouse") == ["Lighthouse"]
    assert client.delete(f"/api/photos/{id_}").status_code == 204
    assert find(client, "lighthouse") == []


def test_other_owners_photos_are_not_found(photos: dict[str, int], app_server: AppServer) -> None:
    with app_server.site().client() as other:
        for query in ("beach", "2019", "Plain"):
            assert find(other, query) == []


def test_an_answer_has_an_etag_and_the_next_page_has_the_same_query(
    client: httpx.Client, photos: dict[str, int]
) -> None:
    query: dict[str, str | int] = {"q": "beach", "limit": 1}
    first = client.get("/api/photos", params=query)
    etag = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/api/photos", params=query, headers=etag).status_code == 304
    second = client.get(first.links["next"]["url"])
    assert [photo["title"] for photo in second.json()] == ["Beach at dawn"]
    assert "next" not in second.links


@pytest.mark.parametrize("query", HOSTILE)
def test_hostile_queries_are_answered(
    client: httpx.Client, photos: dict[str, int], query: str
) -> None:
    response = client.get(f"/api/photos?q={quote(query.encode('utf-8', 'surrogatepass'))}")
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("query", "problem"),
    [("x" * 10_000, "too long"), ("a\0b", "NUL"), ("\0", "NUL")],
)
def test_queries_that_cannot_be_searched_for_are_refused(
    client: httpx.Client, query: str, problem: str
) -> None:
    response = client.get("/api/photos", params={"q": query})
    assert response.status_code == 422
    assert problem in response.json()["detail"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
def test_any_text_can_be_searched_for(client: httpx.Client, query: str) -> None:
    assert client.get("/api/photos", params={"q": query}).status_code == 200


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
def test_a_photo_is_found_by_its_own_title(
    client: httpx.Client, photos: dict[str, int], title: str
) -> None:
    id_ = photos["Plain"]
    assert client.patch(f"/api/photos/{id_}", json={"title": title}).status_code == 200
    response = client.get("/api/photos", params={"q": title})
    found = [photo["id"] for photo in response.json()]
    assert id_ in found or found == []
    if any(character.isascii() and character.isalnum() for character in title):
        assert id_ in found


@pytest.mark.parametrize("order", ["added", "taken"])
@pytest.mark.parametrize(("few", "window"), [(2000, 20_000), (3, 20_000), (3, 5)])
def test_each_plan_gives_the_same_pages(
    *,
    client: httpx.Client,
    site: Site,
    engines: EmbeddedEngines,
    monkeypatch: pytest.MonkeyPatch,
    order: str,
    few: int,
    window: int,
) -> None:
    """Few matches, many matches near the start of the list, and many that are far away."""
    monkeypatch.setattr("safelight.catalog.search.search._FEW", few)
    monkeypatch.setattr("safelight.catalog.search.search._WINDOW", window)
    fill_months(engines.database_url, site.owner, [20, 20], newest=datetime(2024, 1, 1))  # noqa: DTZ001  a camera's clock has no zone
    with psycopg.connect(engines.database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE safelight_photos SET title = title || ' owl' WHERE owner = %s AND"
            " right(title, 1) IN ('3', '9') AND title <> 'Photo 3'",
            (site.owner,),
        )
    expected = [f"Photo {n} owl" for n in range(40) if n % 10 in {3, 9} and n != 3]
    assert find(client, "owl", order=order) == expected
    url: str | None = f"/api/photos?q=owl&limit=2&order={order}"
    titles: list[str] = []
    while url:
        page = client.get(url)
        titles += [photo["title"] for photo in page.json()]
        url = page.links.get("next", {}).get("url")
    assert titles == expected
    assert find(client, "owl", order=order, skip=3, limit=2) == expected[3:5]


def test_simple_page_searches_without_a_script(
    client: httpx.Client, photos: dict[str, int]
) -> None:
    found = client.get("/simple-upload", params={"q": 'beach "'})
    assert found.status_code == 200
    assert "Beach at dawn" in found.text
    assert "Zoë" not in found.text
    assert 'value="beach &#34;"' in found.text
    assert "No photos found." in client.get("/simple-upload?q=xylophone").text
    assert client.get("/simple-upload", params={"q": "x" * 201}).status_code == 422

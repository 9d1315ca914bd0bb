"""Photos of earlier versions are found once jobs have read their words."""

from datetime import datetime

import psycopg
import pytest

from safelight.catalog import Catalog, parse_query
from safelight.models import Order
from support.filled_months import fill_months

UNFILL = """
TRUNCATE safelight_search;
INSERT INTO safelight_installation (name, value)
SELECT 'search_filled_from', max(id) + 1 FROM safelight_photos
"""


async def test_words_of_existing_photos_are_filled_in_in_batches(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safelight.catalog.search.search._FILL_BATCH", 3)
    monkeypatch.setattr("safelight.catalog.search.search._FILL_BATCHES", 2)
    fill_months(database_url, "ann", [10], newest=datetime(2024, 1, 1))  # noqa: DTZ001  a camera's clock has no zone
    catalog = Catalog(database_url)

    async def found() -> int:
        query = parse_query("photo")
        page = await catalog.search.page("ann", query, order=Order.TAKEN, after=None, limit=100)
        return len(page.photos)

    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            for statement in UNFILL.split(";"):
                connection.execute(statement)
            await catalog.search.fill()
            assert await found() == 6
            connection.execute("UPDATE safelight_photos SET title = 'Owl' WHERE title = 'Photo 0'")
            connection.execute("DELETE FROM safelight_photos WHERE title = 'Photo 9'")
            for _ in range(3):
                await catalog.search.fill()
            marks = connection.execute(
                "SELECT count(*) FROM safelight_installation WHERE name = 'search_filled_from'"
            ).fetchone()
        assert await found() == 8
        assert marks == (0,)
    finally:
        await catalog.close()

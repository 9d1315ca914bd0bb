"""Data of earlier versions works under this one: rows, objects, jobs and sessions."""

import asyncio
import base64
import io
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from safelight.catalog import Catalog, migrations
from safelight.engines import EmbeddedEngines
from safelight.jobs import JobState
from safelight.library import Library
from safelight.library.sweep import Sweep
from safelight.models import DateSource, Order, Photo
from support import pictures
from support.app_server import settings_for
from support.reconcile import LOOK, keys_of, list_objects, reconcile
from upgrades.dump import FOLDER, RENDITIONS, SESSION

DUMPS = sorted(FOLDER.glob("*.sql"))
OLD_DUMPS = [dump for dump in DUMPS if dump.stem < "0008"]
STORED_DATES = (
    ("2020-01-02 03:04:05", None),
    ("9999-12-31 23:59:59.999999", None),
    ("9999-12-31 23:59:59", "-12:00"),
    ("0001-01-01 00:00:00", "14:00"),
    ("1799-12-31 00:00:00", None),
    ("2099-01-01 00:00:00", None),
    ("2026-11-02 00:00:00.1", None),
    ("2026-11-01 23:00:00", "-01:00:01"),
)
"""Capture times with offsets, of photos that were added on 1 November 2026."""
OWNERS = {"ann": ["", "The beach"], "ben": ["Ben's"]}
"""The titles of each owner's photos, in every dump."""


@pytest.fixture(params=DUMPS, ids=[dump.stem for dump in DUMPS])
async def upgraded(
    request: pytest.FixtureRequest,
    own_library: Library,
    own_engines: EmbeddedEngines,
    empty_database: str,
    tmp_path: Path,
) -> AsyncIterator[Library]:
    """A library with a worker, over the data of an earlier version."""
    dump: Path = request.param
    _load(dump, empty_database)
    for key, data in _objects(dump).items():
        await own_library.backends.bucket.put(key, data, content_type="image/jpeg")
    settings = settings_for(own_engines, tmp_path / "now", database_url=SecretStr(empty_database))
    opened = Library.from_settings(settings.model_copy(update={"renditions": RENDITIONS}))
    async with opened.lifespan(None):
        yield opened


def _load(dump: Path, url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(dump.read_bytes())


def _objects(dump: Path) -> dict[str, bytes]:
    encoded: dict[str, str] = json.loads(dump.with_suffix(".json").read_text())
    return {key: base64.b64decode(data) for key, data in encoded.items()}


async def _all_photos(library: Library, owner: str) -> list[Photo]:
    page = await library.page(owner)
    return await library.photos(owner, [id_ for id_, _ in page.photos])


async def test_photos_of_earlier_versions_keep_working(upgraded: Library) -> None:
    listed = {owner: await _all_photos(upgraded, owner) for owner in OWNERS}
    assert {
        owner: sorted(photo.title for photo in photos) for owner, photos in listed.items()
    } == OWNERS
    async with httpx.AsyncClient() as client:
        for photo in itertools.chain(*listed.values()):
            response = await client.get(upgraded.link(photo).url)
            assert sha256(response.content).hexdigest() == photo.sha256
    for owner, photos in listed.items():
        for order in Order:
            months = await upgraded.months(owner, order=order)
            assert sum(month.count for month in months) == len(photos)
        assert (await upgraded.render_missing(owner)).next is None
    await _wait_for_jobs(upgraded)
    photos = [photo for owner in OWNERS for photo in await _all_photos(upgraded, owner)]
    assert sorted(len(photo.renditions) for photo in photos) == [1, 1, 3]
    named = {key for photo in photos for key in keys_of(photo)}
    unnamed = await list_objects(upgraded) - named
    assert len(unnamed) <= 1, "only that of the stale reservation, until the sweep"
    await Sweep(upgraded.backends.catalog, upgraded.backends.bucket, clock=upgraded.now).run()
    assert await list_objects(upgraded) == named
    assert await reconcile(upgraded, replace(LOOK, verify=True)) == []
    for photo in photos:
        await upgraded.delete(photo.owner, photo.id)
    assert await list_objects(upgraded) == set()


async def _wait_for_jobs(library: Library) -> None:
    """Wait for the jobs, including the purge that was waiting in the dump."""
    async with asyncio.timeout(180):
        while sum((counts := await library.jobs.count()).values()) > counts[JobState.FAILED]:  # noqa: ASYNC110  rows give no notice
            await asyncio.sleep(0.1)
    assert counts[JobState.FAILED] == 0


async def test_sessions_and_ids_survive_the_upgrade(upgraded: Library) -> None:
    sessions = upgraded.backends.catalog.sessions
    session = await sessions.find(SESSION, issuer="issuer", now=upgraded.now())
    assert session is not None
    assert session.browser == "Mosaic"
    added = await upgraded.add("ann", io.BytesIO(pictures.jpeg(50, 40)))
    assert added.photo.id > 5, "ids are not reused"


@pytest.mark.parametrize("dump", OLD_DUMPS, ids=[dump.stem for dump in OLD_DUMPS])
async def test_dates_that_cannot_be_true_are_removed_from_old_rows(
    dump: Path, empty_database: str
) -> None:
    """Before the schema 0008, any date was stored."""
    _load(dump, empty_database)
    with psycopg.connect(empty_database) as connection:
        rows = connection.execute("SELECT id, created_at FROM safelight_photos").fetchall()
        template = (
            "INSERT INTO safelight_photos (owner, status, name, title, description, filename,"
            " reserved_at, created_at, size, sha256, format, content_type, width, height, frames,"
            " taken_at, taken_offset, sort_at) VALUES ('eve', 'ready', %(n)s, '', '', '', now(),"
            " '2026-11-01Z', 1, %(n)s, 'jpeg', 'image/jpeg', 1, 1, 1, %(at)s, %(offset)s, now())"
        )
        for n, (at, offset) in enumerate(STORED_DATES):
            connection.execute(template, {"n": f"{n:032}", "at": at, "offset": offset})
    catalog = Catalog(empty_database)
    try:
        await catalog.upgrade()
        page = await catalog.page("eve", order=Order.TAKEN, after=None, limit=100)
        photos = await catalog.photos("eve", [id_ for id_, _ in page.photos])
        months = await catalog.months("eve", order=Order.TAKEN)
        others = [
            photo
            for owner in OWNERS
            for photo in await catalog.next_photos(owner, after=0, limit=9)
        ]
    finally:
        await catalog.close()
    assert [(photo.facts.taken_at, photo.facts.taken_from) for photo in photos].count(
        (None, None)
    ) == len(STORED_DATES) - 1
    assert [(f"{month.begins:%Y-%m}", month.count) for month in months] == [
        ("2026-11", len(STORED_DATES) - 1),
        ("2020-01", 1),
    ]
    assert {photo.facts.taken_from for photo in photos} == {None, DateSource.EXIF}
    assert {(photo.id, photo.created_at) for photo in others} <= set(rows)
    assert {str(photo.facts.taken_at) for photo in others} == {"None", "2024-05-06 07:08:09"}


async def test_photos_of_the_previous_version_are_counted_during_and_after_the_migration(
    empty_database: str,
) -> None:
    """One transaction is open when the migration starts, and another begins meanwhile."""
    _load(FOLDER / "0010.sql", empty_database)
    insert = (
        "INSERT INTO safelight_photos (owner, status, name, title, description, filename,"
        " reserved_at, created_at, size, sha256, format, content_type, width, height, frames,"
        " taken_at, sort_at) VALUES ('ann', 'ready', %(n)s, '', '', '', now(), now(), 1, %(n)s,"
        " 'jpeg', 'image/jpeg', 1, 1, 1, '2001-02-03', now())"
    )
    is_waiting = (
        "SELECT count(*) FROM pg_locks WHERE relation = 'safelight_photos'::regclass"
        " AND NOT granted AND mode = %s"
    )
    connect = psycopg.AsyncConnection.connect
    catalog = Catalog(empty_database)

    async def wait_for(mode: str) -> None:
        async with await connect(empty_database, autocommit=True) as watching:
            while (await (await watching.execute(is_waiting, (mode,))).fetchone()) == (0,):  # noqa: ASYNC110  locks give no notice
                await asyncio.sleep(0.01)

    try:
        async with await connect(empty_database) as before, await connect(empty_database) as late:
            await before.execute(insert, {"n": "before"})
            await late.execute("SELECT 1 FROM safelight_sessions")
            async with asyncio.timeout(180), asyncio.TaskGroup() as group:
                group.create_task(catalog.upgrade())
                await wait_for("ShareRowExclusiveLock")
                group.create_task(late.execute(insert, {"n": "during"}))
                await wait_for("RowExclusiveLock")
                listed = await before.execute("SELECT count(*) FROM safelight_photos")
                assert await listed.fetchone() is not None, "reads don't wait"
                await before.commit()
            await late.commit()
            await late.execute(insert, {"n": "after"})
        months = await catalog.months("ann", order=Order.TAKEN)
        assert {f"{month.begins:%Y-%m}": month.count for month in months}["2001-02"] == 3
        assert await catalog.month_drift.find("ann") == []
    finally:
        await catalog.close()


def test_newest_schema_has_a_dump() -> None:
    """CONTRIBUTING.md describes how to make it. A released dump is never made again."""
    versions = Path(next(iter(migrations.__path__))) / "versions"
    newest = max(path.name[:4] for path in versions.glob("[0-9]*.py"))
    assert DUMPS[-1].stem == newest

"""The number of changes: while it stays the same, nothing was missed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight.catalog import Catalog
from safelight.catalog.changes import counter
from safelight.catalog.changes.counter import fold
from safelight.engines import EmbeddedEngines
from support.databases import database

_ADD = text(
    "INSERT INTO safelight_photos (owner, status, name, title, description, filename, reserved_at,"
    " created_at, size, sha256, format, content_type, width, height, frames, sort_at)"
    " VALUES (:owner, 'ready', gen_random_uuid()::text, '', '', '', now(), now(), 1,"
    " gen_random_uuid()::text, 'jpeg', 'image/jpeg', 1, 1, 1, now()) RETURNING id"
)
_ADD_ALBUM = text(
    "INSERT INTO safelight_albums (owner, title, description, created_at)"
    " VALUES (:owner, '', '', now()) RETURNING id"
)
_OF_PHOTO = {
    "edit": "UPDATE safelight_photos SET title = title || 'x', version = version + 1",
    "turn": "UPDATE safelight_photos SET width = width + 1, renditions = '[1]',"
    " version = version + 1",
    "trash": "UPDATE safelight_photos SET trashed_at = now(), version = version + 1",
    "restore": "UPDATE safelight_photos SET trashed_at = NULL, version = version + 1",
    "delete": "UPDATE safelight_photos SET status = 'deleted'",
    "remove": "DELETE FROM safelight_photos",
    "give": "UPDATE safelight_photos SET owner = 'b', version = version + 1",
    "render": "UPDATE safelight_photos SET renditions = renditions || '[1]', thumbhash = '1',"
    " version = version + 1",
}
_OF_ALBUM = {
    "rename": "UPDATE safelight_albums SET title = title || 'x' WHERE id = :album",
    "delete album": "DELETE FROM safelight_albums WHERE id = :album",
    "fill": "INSERT INTO safelight_album_photos SELECT :album, id, id FROM safelight_photos"
    " WHERE id = :id AND status = 'ready' ON CONFLICT DO NOTHING",
    "move": "UPDATE safelight_album_photos SET position = position + 1 WHERE album_id = :album",
    "empty": "DELETE FROM safelight_album_photos WHERE album_id = :album",
}
_CONTENT = text("""
SELECT 'photo', id, title, width, status, trashed_at FROM safelight_photos
WHERE owner = :owner AND status = 'ready'
UNION ALL SELECT 'album', id, title, NULL, NULL, NULL FROM safelight_albums WHERE owner = :owner
UNION ALL
SELECT 'member', album_id, photo_id::text, position, NULL, NULL
FROM safelight_album_photos AS member
JOIN safelight_albums AS album ON album.id = member.album_id WHERE owner = :owner
""")

STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(
            [
                *("begin", "begin", "commit", "commit", "commit", "rollback", "fold"),
                *("add", "add", "add album", *_OF_PHOTO, *_OF_ALBUM),
            ]
        ),
        st.integers(0, 9),
    ),
    min_size=20,
    max_size=50,
)


@pytest.fixture(scope="module")
def module_url(postgres: EmbeddedEngines) -> Iterator[str]:
    with database(postgres) as url:
        yield url


@pytest.fixture
async def catalog(module_url: str) -> AsyncIterator[Catalog]:
    opened = Catalog(module_url)
    await opened.transaction(_clear)
    yield opened
    await opened.close()


async def _clear(connection: AsyncConnection) -> None:
    await connection.exec_driver_sql("TRUNCATE safelight_photos, safelight_albums CASCADE")


class History:
    """Transactions on three connections that overlap, and what was read at each number."""

    def __init__(self, catalog: Catalog, connections: list[AsyncConnection]) -> None:
        self.catalog = catalog
        self.connections = connections
        self.open: set[int] = set()
        self.photos: list[int] = []
        self.albums: list[int] = []
        self.seen: dict[tuple[str, int], set[Any]] = {}
        self.last = {"a": 0, "b": 0}

    async def step(self, slot: int, name: str, number: int) -> None:
        connection = self.connections[slot]
        try:
            if name == "begin" and slot not in self.open:
                await connection.exec_driver_sql("BEGIN")
                self.open.add(slot)
            elif name in {"commit", "rollback"}:
                await self.end(slot, name)
            elif name == "fold":
                await fold(connection)
            elif name == "add":
                self.photos.append(await connection.scalar(_ADD, {"owner": "a"}) or 0)
            elif name == "add album":
                self.albums.append(await connection.scalar(_ADD_ALBUM, {"owner": "a"}) or 0)
            elif name != "begin":
                await self.change(connection, name, number)
        except DBAPIError:  # another transaction has locked the row
            await self.end(slot, "rollback")

    async def change(self, connection: AsyncConnection, name: str, number: int) -> None:
        sql = _OF_ALBUM.get(name) or f"{_OF_PHOTO[name]} WHERE id = :id AND status = 'ready'"
        lists = {"id": self.photos, "album": self.albums}
        values = {key: ids[number % len(ids)] for key, ids in lists.items() if ids}
        named = {key: value for key, value in values.items() if f":{key}" in sql}
        if len(named) == sql.count(":id") + sql.count(":album"):
            await connection.execute(text(sql), named)

    async def end(self, slot: int, how: str) -> None:
        if slot in self.open:
            await self.connections[slot].exec_driver_sql(how)
            self.open.remove(slot)

    async def look(self) -> None:
        for owner in ("a", "b"):
            number = await self.catalog.changes.read(owner)
            rows = await self.connections[3].execute(_CONTENT, {"owner": owner})
            content = set(rows.all())
            assert content == self.seen.setdefault((owner, number), content)
            assert number >= self.last[owner]
            self.last[owner] = number


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_the_same_number_means_the_same_content(
    module_url: str, steps: list[tuple[int, str, int]]
) -> None:
    asyncio.run(_play(module_url, steps))


async def _play(url: str, steps: list[tuple[int, str, int]]) -> None:
    catalog = Catalog(url)
    try:
        async with AsyncExitStack() as stack:
            engine = catalog._database._engine
            connections = [await stack.enter_async_context(engine.connect()) for _ in range(4)]
            await _clear(connections[0])
            for connection in connections:
                await connection.exec_driver_sql("SET lock_timeout = '10ms'")
            history = History(catalog, connections)
            for step in steps:
                await history.step(*step)
                await history.look()
            for slot in range(3):
                await history.end(slot, "commit")
                await history.look()
            await catalog.changes.fold_all()
            await history.look()
    finally:
        await catalog.close()


async def test_change_that_is_committed_late_is_not_missed(catalog: Catalog) -> None:
    async with _open(catalog) as slow, _open(catalog) as quick:
        await slow.execute(_ADD, {"owner": "a"})
        await quick.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
        await quick.execute(_ADD, {"owner": "a"})
        await quick.exec_driver_sql("COMMIT")
        seen = await catalog.changes.read("a")
        await catalog.changes.fold_all()
        assert await catalog.changes.read("a") == seen
        await slow.exec_driver_sql("COMMIT")
    assert await catalog.changes.read("a") == seen + 1


@asynccontextmanager
async def _open(catalog: Catalog) -> AsyncIterator[AsyncConnection]:
    """Yield a connection in a transaction, which the test has to end."""
    async with catalog._database._engine.connect() as connection:
        await connection.exec_driver_sql("BEGIN")
        yield connection


async def test_a_statement_counts_once_for_each_owner(catalog: Catalog) -> None:
    async def add(connection: AsyncConnection) -> None:
        for _ in range(50):
            await connection.execute(_ADD, {"owner": "a"})

    await catalog.transaction(add)
    before = await catalog.changes.read("a"), await catalog.changes.read("b")
    await catalog.transaction(lambda c: c.exec_driver_sql(_OF_PHOTO["give"]))
    assert (await catalog.changes.read("a"), await catalog.changes.read("b")) == (
        before[0] + 1,
        before[1] + 1,
    )


@pytest.mark.parametrize("statement", ["render", "reserve", "purge"])
async def test_renditions_and_rows_that_are_no_photos_are_no_change(
    catalog: Catalog, statement: str
) -> None:
    await catalog.transaction(lambda c: c.execute(_ADD, {"owner": "a"}))
    others = {
        "reserve": "INSERT INTO safelight_photos (owner, status, name, title, description,"
        " filename, reserved_at) VALUES ('a', 'pending', 'x', '', '', '', now())",
        "purge": "DELETE FROM safelight_photos WHERE status <> 'ready'",
    }
    before = await catalog.changes.read("a")
    sql = others.get(statement) or _OF_PHOTO[statement]
    await catalog.transaction(lambda c: c.exec_driver_sql(sql))
    assert await catalog.changes.read("a") == before


async def test_the_number_survives_truncated_tables(catalog: Catalog) -> None:
    await catalog.transaction(lambda c: c.execute(_ADD, {"owner": "a"}))
    before = await catalog.changes.read("a")
    await catalog.transaction(_clear)
    assert await catalog.changes.read("a") > before


async def test_many_changes_are_folded_by_reading_them(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter, "_FOLD_AT", 2)
    for _ in range(4):
        await catalog.transaction(lambda c: c.execute(_ADD, {"owner": "a"}))
    number = await catalog.changes.read("a")
    left = await catalog.read(lambda c: c.exec_driver_sql("SELECT FROM safelight_changes"))
    assert left.all() == []
    assert await catalog.changes.read("a") == number

"""The rows: pages by keyset, the rule on twins, tombstones, and the schema's versions."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import Catalog, Cursor, Doomed, Reservation
from safelight.engines import EmbeddedEngines
from safelight.errors import InvalidRequest, NotFound
from safelight.photo import Caption, Details, ImageFacts, Order, Photo
from safelight.tables import photos

NOW = datetime(2024, 1, 1, tzinfo=UTC)
FACTS = ImageFacts(format="jpeg", content_type="image/jpeg", width=4, height=3)


@pytest.fixture(scope="session")
async def catalog(engines: EmbeddedEngines) -> AsyncIterator[Catalog]:
    opened = Catalog(engines.database_url)
    await opened.upgrade()
    yield opened
    await opened.close()


@pytest.fixture
def owner() -> str:
    return f"owner-{uuid4().hex}"


async def reserve(catalog: Catalog, owner: str, *, now: datetime | None = None) -> Reservation:
    # Not long ago, since a sweep of the same catalog may be running.
    now = now or datetime.now(UTC)
    return await catalog.reservations.make(owner, Caption(title="t"), name=keys.new_name(), now=now)


async def add(
    catalog: Catalog,
    owner: str,
    *,
    now: datetime = NOW,
    sha256: str | None = None,
    facts: ImageFacts = FACTS,
) -> Photo:
    row = await reserve(catalog, owner)
    return await catalog.reservations.publish(
        row, facts, size=1, sha256=sha256 or secrets.token_hex(32), now=now
    )


async def walk(catalog: Catalog, owner: str, order: Order, limit: int) -> AsyncIterator[list[int]]:
    after: Cursor | None = None
    while True:
        page = await catalog.page(owner, order=order, after=after, limit=limit)
        yield [id_ for id_, _ in page.states]
        if page.next is None:
            return
        after = Cursor.parse(str(page.next), order)


# Pages


@pytest.mark.parametrize("order", Order)
async def test_a_walk_meets_each_photo_once_while_others_come_and_go(
    catalog: Catalog, owner: str, order: Order
) -> None:
    dice = random.Random(7)
    there = [
        (await add(catalog, owner, now=NOW + timedelta(seconds=dice.randrange(12)))).id
        for _ in range(60)
    ]
    doomed = set(there[::9])

    async def come_and_go() -> None:
        for id_ in doomed:
            await catalog.bury(owner, id_, now=NOW)
            await add(catalog, owner, now=NOW + timedelta(seconds=dice.randrange(30)))

    coming = asyncio.create_task(come_and_go())
    seen = []
    async for page in walk(catalog, owner, order, 7):
        seen += page
    await coming
    assert len(seen) == len(set(seen))
    assert set(there) - doomed <= set(seen)


async def test_a_page_is_ordered_by_time_and_then_by_id(catalog: Catalog, owner: str) -> None:
    made = [await add(catalog, owner, now=NOW + timedelta(seconds=n % 3)) for n in range(9)]
    expected = [
        photo.id for photo in sorted(made, key=lambda p: (p.created_at, p.id), reverse=True)
    ]
    assert [id_ async for page in walk(catalog, owner, Order.ADDED, 2) for id_ in page] == expected


async def test_the_order_of_capture_knows_offsets(catalog: Catalog, owner: str) -> None:
    def facts(hour: int, offset: int | None) -> ImageFacts:
        return ImageFacts(
            format="jpeg",
            content_type="image/jpeg",
            width=1,
            height=1,
            taken_at=datetime(2024, 1, 1, hour),  # noqa: DTZ001  a camera's clock has no zone
            taken_offset=None if offset is None else timedelta(hours=offset),
        )

    second = await add(catalog, owner, facts=facts(12, None))
    first = await add(catalog, owner, facts=facts(13, 2))
    last = await add(catalog, owner, facts=facts(12, -3))
    found = [id_ async for page in walk(catalog, owner, Order.TAKEN, 1) for id_ in page]
    assert found == [last.id, second.id, first.id]


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize(
    "at",
    [
        NOW,
        NOW + timedelta(microseconds=1),
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
)
def test_a_cursor_comes_back_as_it_was(order: Order, at: datetime) -> None:
    cursor = Cursor(order=order, at=at, id=2**63 - 1)
    assert Cursor.parse(str(cursor), order) == cursor
    other = Order.TAKEN if order is Order.ADDED else Order.ADDED
    with pytest.raises(InvalidRequest):
        Cursor.parse(str(cursor), other)


async def test_a_page_costs_the_index_alone(catalog: Catalog, owner: str) -> None:
    """A page far from the first is read from where it begins, and not sorted."""
    for order, index in ((Order.ADDED, "added"), (Order.TAKEN, "taken")):
        column = {"added": "created_at", "taken": "sort_at"}[order]

        async def plan(connection: AsyncConnection, column: str = column) -> str:
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
            await connection.execute(text("SET LOCAL enable_sort = off"))
            rows = await connection.execute(
                text(
                    f"EXPLAIN SELECT id, version, {column} FROM safelight_photos"
                    f" WHERE owner = 'x' AND status = 'ready' AND ({column}, id) < (now(), 5)"
                    f" ORDER BY {column} DESC, id DESC LIMIT 101"
                )
            )
            return "\n".join(rows.scalars())

        told = await catalog._database.transaction(plan)
        assert f"safelight_photos_{index}_idx" in told
        assert "Sort" not in told


# Twins


async def test_of_the_same_bytes_at_once_one_becomes_the_photo(
    catalog: Catalog, owner: str
) -> None:
    sha256 = secrets.token_hex(32)
    rows = [await reserve(catalog, owner) for _ in range(8)]
    made = await asyncio.gather(
        *(catalog.reservations.publish(row, FACTS, size=1, sha256=sha256, now=NOW) for row in rows)
    )
    assert len({photo.id for photo in made}) == 1
    for row in rows:
        if row.id != made[0].id:
            assert await catalog.reservations.abandon(row, now=NOW) == Doomed(
                id=row.id, name=row.name
            )


async def test_the_same_bytes_of_two_owners_are_two_photos(catalog: Catalog, owner: str) -> None:
    sha256 = secrets.token_hex(32)
    one = await add(catalog, owner, sha256=sha256)
    other = await add(catalog, f"{owner}-2", sha256=sha256)
    assert one.id != other.id
    assert await catalog.twin(owner, sha256) == one


async def test_a_twin_that_goes_away_meanwhile_makes_room(catalog: Catalog, owner: str) -> None:
    """Uploads and deletions of the same bytes at once: never an error, never two at a time."""
    sha256 = secrets.token_hex(32)

    async def upload() -> int:
        return (await add(catalog, owner, sha256=sha256)).id

    async def delete(id_: int) -> None:
        try:
            await catalog.bury(owner, id_, now=NOW)
        except NotFound:
            return

    for _ in range(10):
        made = await asyncio.gather(*(upload() for _ in range(4)))
        await asyncio.gather(*(upload() for _ in range(3)), *(delete(id_) for id_ in made))
        page = await catalog.page(owner, order=Order.ADDED, after=None, limit=10)
        assert len(page.states) <= 1


async def test_a_row_that_is_not_pending_cannot_become_ready(catalog: Catalog, owner: str) -> None:
    abandoned = await reserve(catalog, owner)
    assert await catalog.reservations.abandon(abandoned, now=NOW)
    with pytest.raises(NotFound):
        await catalog.reservations.publish(abandoned, FACTS, size=1, sha256="0" * 64, now=NOW)
    ready = await reserve(catalog, owner)
    photo = await catalog.reservations.publish(ready, FACTS, size=1, sha256="1" * 64, now=NOW)
    with pytest.raises(NotFound):
        await catalog.reservations.publish(ready, FACTS, size=1, sha256="2" * 64, now=NOW)
    assert await catalog.reservations.abandon(ready, now=NOW) is None
    assert await catalog.photo(owner, photo.id) == photo


# Tombstones


async def test_what_is_pending_or_buried_is_nobodys_to_see(catalog: Catalog, owner: str) -> None:
    pending = await reserve(catalog, owner)
    buried = await add(catalog, owner, sha256="3" * 64)
    await catalog.bury(owner, buried.id, now=datetime.now(UTC))
    for id_ in (pending.id, buried.id):
        with pytest.raises(NotFound):
            await catalog.photo(owner, id_)
        with pytest.raises(NotFound):
            await catalog.edit(owner, id_, title="x")
        with pytest.raises(NotFound):
            await catalog.bury(owner, id_, now=NOW)
    assert await catalog.twin(owner, "3" * 64) is None
    page = await catalog.page(owner, order=Order.ADDED, after=None, limit=10)
    assert page.states == ()


async def test_a_tombstone_stays_until_it_was_swept_again_much_later(
    catalog: Catalog, owner: str
) -> None:
    photo = await add(catalog, owner)
    died = datetime.now(UTC)
    doomed = await catalog.bury(owner, photo.id, now=died)
    assert doomed == Doomed(id=photo.id, name=photo.name)
    later = died + timedelta(hours=1)
    assert photo.id in await _listed(catalog.tombstones.fresh, buried_since=died)
    await catalog.tombstones.note_purged([photo.id], now=died)
    assert photo.id not in await _listed(catalog.tombstones.fresh, buried_since=died)
    assert photo.id not in await _listed(catalog.tombstones.settled, before=died)
    assert photo.id in await _listed(catalog.tombstones.settled, before=later)
    assert await _status(catalog, photo.id) == "deleted"
    await catalog.tombstones.forget([photo.id], now=later)
    assert await _status(catalog, photo.id) is None


async def _listed(list_: Callable[..., Awaitable[list[Doomed]]], **when: datetime) -> set[int]:
    return {each.id for each in await list_(**when, after=0, limit=10_000)}


async def test_forgetting_never_takes_a_photo(catalog: Catalog, owner: str) -> None:
    photo = await add(catalog, owner)
    later = datetime.now(UTC) + timedelta(days=1)
    await catalog.tombstones.forget([photo.id], now=later)
    await catalog.tombstones.note_purged([photo.id], now=later)
    assert await catalog.photo(owner, photo.id) == photo


async def test_what_has_been_pending_for_too_long_is_given_up(catalog: Catalog, owner: str) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=50)
    old, new = await reserve(catalog, owner, now=long_ago), await reserve(catalog, owner)
    await catalog.tombstones.abandon_stale(
        reserved_before=long_ago + timedelta(seconds=1), now=datetime.now(UTC)
    )
    assert await _status(catalog, old.id) == "deleted"
    assert await _status(catalog, new.id) == "pending"


async def test_each_change_makes_another_version(catalog: Catalog, owner: str) -> None:
    photo = await add(catalog, owner)
    edited = await asyncio.gather(
        *(catalog.edit(owner, photo.id, title=f"title {n}") for n in range(5))
    )
    assert sorted(each.version for each in edited) == [photo.version + n for n in range(1, 6)]


async def _status(catalog: Catalog, id_: int) -> str | None:
    async def read(connection: AsyncConnection) -> str | None:
        found: str | None = await connection.scalar(
            select(photos.c.status).where(photos.c.id == id_)
        )
        return found

    return await catalog._database.read(read)


async def test_all_facts_of_a_photo_come_back(catalog: Catalog, owner: str) -> None:
    details = Details(
        duration=timedelta(milliseconds=1_230),
        alpha=True,
        profile="Display P3",
        camera_make="Ä",
        camera_model="\u2603",
        located=True,
        colour="0a0b0c",
    )
    photo = await add(catalog, owner, facts=replace(FACTS, details=details))
    assert photo.facts.details == details
    assert (await catalog.photo(owner, photo.id)).facts.details == details
    assert (await add(catalog, owner)).facts.details == Details()

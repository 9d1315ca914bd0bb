"""The catalog: keyset pages, duplicates, tombstones, and the facts of a photo."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import Catalog, Cursor, Reservation, Tombstone
from safelight.catalog.tables import photos
from safelight.engines import EmbeddedEngines
from safelight.errors import InvalidRequest, NotFound
from safelight.models import Caption, Details, ImageFacts, Order, Photo
from support.databases import database

NOW = datetime(2024, 1, 1, tzinfo=UTC)
FACTS = ImageFacts(format="jpeg", content_type="image/jpeg", width=4, height=3)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def catalog(engines: EmbeddedEngines) -> AsyncIterator[Catalog]:
    """A catalog that no worker sweeps meanwhile."""
    with database(engines) as url:
        opened = Catalog(url)
        yield opened
        await opened.close()


@pytest.fixture
def owner() -> str:
    return f"owner-{uuid4().hex}"


async def reserve(catalog: Catalog, owner: str, *, now: datetime | None = None) -> Reservation:
    # Recent, because another test may sweep the same catalog at the same time.
    now = now or datetime.now(UTC)
    return await catalog.reservations.reserve(
        owner, Caption(title="t"), storage_id=keys.new_storage_id(), now=now
    )


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


async def pages_of(
    catalog: Catalog, owner: str, order: Order, limit: int
) -> AsyncIterator[list[int]]:
    after: Cursor | None = None
    while True:
        page = await catalog.page(owner, order=order, after=after, limit=limit)
        yield [id_ for id_, _ in page.photos]
        if page.next is None:
            return
        after = Cursor.parse(str(page.next), order)


# Pages


@pytest.mark.parametrize("order", Order)
async def test_paging_returns_each_photo_once_during_concurrent_changes(
    catalog: Catalog, owner: str, order: Order
) -> None:
    rng = random.Random(7)
    existing = [
        (await add(catalog, owner, now=NOW + timedelta(seconds=rng.randrange(12)))).id
        for _ in range(60)
    ]
    deleted = set(existing[::9])

    async def delete_and_add() -> None:
        for id_ in deleted:
            await catalog.soft_delete(owner, id_, now=NOW)
            await add(catalog, owner, now=NOW + timedelta(seconds=rng.randrange(30)))

    changes = asyncio.create_task(delete_and_add())
    seen = []
    async for page in pages_of(catalog, owner, order, 7):
        seen += page
    await changes
    assert len(seen) == len(set(seen))
    assert set(existing) - deleted <= set(seen)


async def test_page_is_ordered_by_time_and_then_by_id(catalog: Catalog, owner: str) -> None:
    published = [await add(catalog, owner, now=NOW + timedelta(seconds=n % 3)) for n in range(9)]
    expected = [
        photo.id for photo in sorted(published, key=lambda p: (p.created_at, p.id), reverse=True)
    ]
    assert [
        id_ async for page in pages_of(catalog, owner, Order.ADDED, 2) for id_ in page
    ] == expected


async def test_order_by_capture_time_is_that_of_local_times(catalog: Catalog, owner: str) -> None:
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
    last = await add(catalog, owner, facts=facts(13, 2))
    first = await add(catalog, owner, facts=facts(11, -3))
    found = [id_ async for page in pages_of(catalog, owner, Order.TAKEN, 1) for id_ in page]
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
def test_cursor_survives_a_round_trip_and_is_bound_to_its_order(order: Order, at: datetime) -> None:
    at = at if order is Order.ADDED else at.replace(tzinfo=None)
    cursor = Cursor(order=order, at=at, id=2**63 - 1)
    assert Cursor.parse(str(cursor), order) == cursor
    other = Order.TAKEN if order is Order.ADDED else Order.ADDED
    with pytest.raises(InvalidRequest):
        Cursor.parse(str(cursor), other)


@pytest.mark.parametrize(
    ("column", "index", "now"),
    [("created_at", "added", "now()"), ("local_at", "local", "localtimestamp")],
)
async def test_page_is_read_from_the_index_without_a_sort(
    catalog: Catalog, column: str, index: str, now: str
) -> None:
    """PostgreSQL finds the start of any page in the index, and sorts nothing."""

    async def plan(connection: AsyncConnection) -> str:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        await connection.execute(text("SET LOCAL enable_sort = off"))
        rows = await connection.execute(
            text(
                f"EXPLAIN SELECT id, version, {column} FROM safelight_photos"
                " WHERE owner = 'x' AND status = 'ready' AND trashed_at IS NULL"
                f" AND ({column}, id) < ({now}, 5) ORDER BY {column} DESC, id DESC LIMIT 101"
            )
        )
        return "\n".join(rows.scalars())

    explained = await catalog._database.transaction(plan)
    assert f"safelight_photos_{index}_idx" in explained
    assert "Index Only Scan" in explained
    assert "Sort" not in explained


# Duplicates


async def test_concurrent_uploads_of_the_same_bytes_make_one_photo(
    catalog: Catalog, owner: str
) -> None:
    sha256 = secrets.token_hex(32)
    rows = [await reserve(catalog, owner) for _ in range(8)]
    published = await asyncio.gather(
        *(catalog.reservations.publish(row, FACTS, size=1, sha256=sha256, now=NOW) for row in rows)
    )
    assert len({photo.id for photo in published}) == 1
    for row in rows:
        if row.id != published[0].id:
            assert await catalog.reservations.abandon(row, now=NOW) == Tombstone(
                id=row.id, storage_id=row.storage_id
            )


async def test_same_bytes_of_two_owners_are_two_photos(catalog: Catalog, owner: str) -> None:
    sha256 = secrets.token_hex(32)
    first = await add(catalog, owner, sha256=sha256)
    second = await add(catalog, f"{owner}-2", sha256=sha256)
    assert first.id != second.id
    assert await catalog.reservations.find_duplicate(owner, sha256) == first


async def test_deleting_a_duplicate_during_an_upload_is_no_error(
    catalog: Catalog, owner: str
) -> None:
    """Concurrent uploads and deletions of the same bytes never fail and never leave two photos."""
    sha256 = secrets.token_hex(32)

    async def upload() -> int:
        return (await add(catalog, owner, sha256=sha256)).id

    async def delete(id_: int) -> None:
        try:
            await catalog.soft_delete(owner, id_, now=NOW)
        except NotFound:
            return

    for _ in range(10):
        published = await asyncio.gather(*(upload() for _ in range(4)))
        await asyncio.gather(*(upload() for _ in range(3)), *(delete(id_) for id_ in published))
        page = await catalog.page(owner, order=Order.ADDED, after=None, limit=10)
        assert len(page.photos) <= 1


async def test_only_a_pending_row_can_become_ready(catalog: Catalog, owner: str) -> None:
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


async def test_pending_and_deleted_photos_are_not_found(catalog: Catalog, owner: str) -> None:
    pending = await reserve(catalog, owner)
    deleted = await add(catalog, owner, sha256="3" * 64)
    await catalog.soft_delete(owner, deleted.id, now=datetime.now(UTC))
    for id_ in (pending.id, deleted.id):
        with pytest.raises(NotFound):
            await catalog.photo(owner, id_)
        with pytest.raises(NotFound):
            await catalog.edits.edit(owner, id_, title="x")
        with pytest.raises(NotFound):
            await catalog.soft_delete(owner, id_, now=NOW)
    assert await catalog.reservations.find_duplicate(owner, "3" * 64) is None
    page = await catalog.page(owner, order=Order.ADDED, after=None, limit=10)
    assert page.photos == ()


async def test_tombstone_is_kept_until_its_prefix_is_emptied_again(
    catalog: Catalog, owner: str
) -> None:
    photo = await add(catalog, owner)
    deleted_at = datetime.now(UTC)
    tombstone = await catalog.soft_delete(owner, photo.id, now=deleted_at)
    assert tombstone == Tombstone(id=photo.id, storage_id=photo.storage_id)
    later = deleted_at + timedelta(hours=1)
    assert photo.id in await _ids(catalog.tombstones.list_unpurged, deleted_since=deleted_at)
    await catalog.tombstones.mark_purged([photo.id], now=deleted_at)
    assert photo.id not in await _ids(catalog.tombstones.list_unpurged, deleted_since=deleted_at)
    assert photo.id not in await _ids(catalog.tombstones.list_due, before=deleted_at)
    assert photo.id in await _ids(catalog.tombstones.list_due, before=later)
    assert await _status(catalog, photo.id) == "deleted"
    await catalog.tombstones.delete([photo.id], now=later)
    assert await _status(catalog, photo.id) is None


async def _ids(list_: Callable[..., Awaitable[list[Tombstone]]], **when: datetime) -> set[int]:
    return {tombstone.id for tombstone in await list_(**when, after=0, limit=10_000)}


async def test_deleting_tombstones_never_deletes_a_photo(catalog: Catalog, owner: str) -> None:
    photo = await add(catalog, owner)
    later = datetime.now(UTC) + timedelta(days=1)
    await catalog.tombstones.delete([photo.id], now=later)
    await catalog.tombstones.mark_purged([photo.id], now=later)
    assert await catalog.photo(owner, photo.id) == photo


async def test_stale_reservation_is_abandoned(catalog: Catalog, owner: str) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=50)
    old, new = await reserve(catalog, owner, now=long_ago), await reserve(catalog, owner)
    await catalog.tombstones.abandon_stale(
        reserved_before=long_ago + timedelta(seconds=1), now=datetime.now(UTC)
    )
    assert await _status(catalog, old.id) == "deleted"
    assert await _status(catalog, new.id) == "pending"


async def test_each_edit_increments_the_version(catalog: Catalog, owner: str) -> None:
    photo = await add(catalog, owner)
    edited = await asyncio.gather(
        *(catalog.edits.edit(owner, photo.id, title=f"title {n}") for n in range(5))
    )
    assert sorted(row.version for row in edited) == [photo.version + n for n in range(1, 6)]


async def _status(catalog: Catalog, id_: int) -> str | None:
    async def read(connection: AsyncConnection) -> str | None:
        found: str | None = await connection.scalar(
            select(photos.c.status).where(photos.c.id == id_)
        )
        return found

    return await catalog._database.read(read)


async def test_details_of_a_photo_survive_a_round_trip(catalog: Catalog, owner: str) -> None:
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

"""The counts of months equal the rows, in each transaction's own view, whatever happens when."""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any, ClassVar

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog import Catalog, reservations
from safelight.catalog.months import counts
from safelight.catalog.months.counts import fold
from safelight.catalog.queries import MONTHS
from safelight.engines import EmbeddedEngines
from safelight.models import Caption, ImageFacts, Order
from support.databases import database

MONTHS_OF_TESTS = ("1969-12-31 23:59:59.999999", "2024-02-29", "2024-12-01", "2025-01-01")
TIMES = st.sampled_from(MONTHS_OF_TESTS)
SLOTS = st.sampled_from([0, 1, 2])
COLUMNS = {Order.ADDED: "created_at AT TIME ZONE 'UTC'", Order.TAKEN: "local_at"}

_ADD = (
    "INSERT INTO safelight_photos (owner, status, name, title, description, filename, reserved_at)"
    " VALUES (:owner, 'pending', gen_random_uuid()::text, '', '', '', now()) RETURNING id"
)
_PUBLISH = (
    "UPDATE safelight_photos SET status = 'ready', created_at = CAST(:at AS timestamptz), size = 1,"
    " sha256 = gen_random_uuid()::text, format = 'jpeg', content_type = 'image/jpeg', width = 1,"
    " height = 1, frames = 1, taken_at = CAST(:taken AS timestamp), sort_at = now()"
    " WHERE id = ANY(:ids) AND status = 'pending'"
)
_CHANGE_DATE = (
    "UPDATE safelight_photos SET taken_at = CAST(:taken AS timestamp) WHERE id = ANY(:ids)"
)
_SOFT_DELETE = (
    "UPDATE safelight_photos SET status = 'deleted' WHERE id = ANY(:ids) AND status = 'ready'"
)
_TRASH = "UPDATE safelight_photos SET trashed_at = now() WHERE id = ANY(:ids)"
_RESTORE = "UPDATE safelight_photos SET trashed_at = NULL WHERE id = ANY(:ids)"
_MAKE_READY = (
    "UPDATE safelight_photos SET status = 'ready' WHERE id = ANY(:ids) AND sha256 IS NOT NULL"
)
_DELETE = "DELETE FROM safelight_photos WHERE id = ANY(:ids)"
_GIVE = "UPDATE safelight_photos SET owner = :owner WHERE id = ANY(:ids)"


_ROWS = text(
    " UNION ALL ".join(
        f"SELECT '{order}', date_trunc('month', {column}) AS month, count(*) FROM safelight_photos"
        " WHERE owner = :owner AND status = 'ready' AND trashed_at IS NULL GROUP BY month"
        for order, column in COLUMNS.items()
    )
)


async def _check(connection: AsyncConnection, owner: str) -> None:
    """Compare what a connection reads with the rows that it sees."""
    counted: list[tuple[Any, ...]] = []
    for order in Order:
        rows = await connection.execute(MONTHS[order].statement, {"owner": owner})
        counted += [(order, month, photos) for month, photos, _ in rows if photos]
    existing = {tuple(row) for row in await connection.execute(_ROWS, {"owner": owner})}
    assert len(counted) == len(existing)
    assert set(counted) == existing


class Histories(RuleBasedStateMachine):
    """Transactions on three connections that overlap in any way, and reads of each of them."""

    catalog: ClassVar[Catalog]
    runner: ClassVar[asyncio.Runner]
    _number = count()

    def __init__(self) -> None:
        super().__init__()
        self.owners = [f"owner {next(self._number)}", f"owner {next(self._number)}"]
        self.open: dict[int, AsyncConnection] = {}
        self.held: dict[int, int] = {}
        """The transaction that has written each photo, and not ended."""
        self.ids: list[int] = []

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @initialize()
    def start(self) -> None:
        async def connect() -> list[AsyncConnection]:
            engine = self.catalog._database._engine
            return [await engine.connect() for _ in range(4)]

        *self.connections, self.reader = self.do(connect())

    @rule(slot=SLOTS, isolation=st.sampled_from(["READ COMMITTED", "REPEATABLE READ"]))
    def begin(self, slot: int, isolation: str) -> None:
        if slot not in self.open:
            connection = self.connections[slot]
            self.do(connection.exec_driver_sql(f"BEGIN ISOLATION LEVEL {isolation}"))
            self.do(connection.exec_driver_sql("SELECT 1"))
            self.open[slot] = connection

    def write(self, slot: int, statement: str, ids: Sequence[int] = (), **more: Any) -> list[Any]:
        """Execute a statement for photos that no other transaction has written."""
        mine = [id_ for id_ in ids if self.held.get(id_, slot) == slot]
        if slot in self.open:
            self.held |= dict.fromkeys(mine, slot)
        parameters = {**({"ids": mine} if ids else {}), **more}
        try:
            result = self.do(self.connections[slot].execute(text(statement), parameters))
        except DBAPIError:  # the photo has changed since the transaction's snapshot
            assert slot in self.open
            self.end(slot, how="ROLLBACK")
            return []
        return list(result) if result.returns_rows else []

    @rule(slot=SLOTS, at=TIMES, taken=st.none() | TIMES, number=st.integers(1, 3))
    def upload(self, slot: int, at: str, taken: str | None, number: int) -> None:
        ids = [self.write(slot, _ADD, owner=self.owners[0])[0][0] for _ in range(number)]
        self.ids += ids
        self.write(slot, _PUBLISH, ids, at=f"{at}Z", taken=taken)

    def choose(self, seed: int) -> list[int]:
        return random.Random(seed).sample(self.ids, min(2, len(self.ids)))

    @precondition(lambda self: self.ids)
    @rule(
        slot=SLOTS,
        seed=st.integers(0, 99),
        statement=st.sampled_from(
            [_CHANGE_DATE, _SOFT_DELETE, _MAKE_READY, _TRASH, _RESTORE, _DELETE, _GIVE]
        ),
        taken=st.none() | TIMES,
        heir=st.sampled_from([0, 1]),
    )
    def change(self, slot: int, seed: int, statement: str, taken: str | None, heir: int) -> None:
        values = {"taken": taken, "owner": self.owners[heir]}
        named = {name: value for name, value in values.items() if f":{name}" in statement}
        self.write(slot, statement, self.choose(seed), **named)

    @precondition(lambda self: self.ids and self.open)
    @rule(slot=SLOTS, seed=st.integers(0, 99), statement=st.sampled_from([_SOFT_DELETE, _DELETE]))
    def change_and_undo(self, slot: int, seed: int, statement: str) -> None:
        if slot in self.open:
            self.do(self.connections[slot].exec_driver_sql("SAVEPOINT here"))
            self.write(slot, statement, self.choose(seed))
            if slot in self.open:
                self.do(self.connections[slot].exec_driver_sql("ROLLBACK TO here"))

    @rule(slot=SLOTS)
    def fold(self, slot: int) -> None:
        try:
            self.do(fold(self.connections[slot]))
        except DBAPIError:
            self.end(slot, how="ROLLBACK")

    @rule()
    def fold_all(self) -> None:
        self.do(self.catalog.month_counts.fold_all())

    @precondition(lambda self: self.open)
    @rule(slot=SLOTS, how=st.sampled_from(["COMMIT", "ROLLBACK"]))
    def end(self, slot: int, how: str) -> None:
        if slot in self.open:
            self.do(self.open.pop(slot).exec_driver_sql(how))
            self.held = {id_: holder for id_, holder in self.held.items() if holder != slot}

    @invariant()
    def counts_equal_rows_in_every_view(self) -> None:
        if hasattr(self, "reader"):
            self.do(self._check_all())

    async def _check_all(self) -> None:
        for connection in (self.reader, *self.open.values()):
            for owner in self.owners:
                await _check(connection, owner)

    def teardown(self) -> None:
        async def check_and_close() -> None:
            try:
                await self.catalog.month_counts.fold_all()
                await self._check_all()
                assert await _read_leftovers(self.reader) == (0, 0)
            finally:
                for connection in (*self.connections, self.reader):
                    await connection.close()

        if hasattr(self, "reader"):
            for slot in list(self.open):
                self.end(slot, how="ROLLBACK")
            self.do(check_and_close())


async def _read_leftovers(connection: AsyncConnection) -> tuple[int, int]:
    """Return the number of changes that are not folded, and of counts of months without photos."""
    rows: Any = await connection.exec_driver_sql(
        "SELECT (SELECT count(*) FROM safelight_month_changes),"
        " (SELECT count(*) FROM safelight_month_counts WHERE photos <= 0)"
    )
    changes, empty = rows.one()
    return changes, empty


@pytest.fixture(scope="module")
def module_url(postgres: EmbeddedEngines) -> Iterator[str]:
    with database(postgres) as url:
        yield url


def test_counts_equal_rows_in_any_history(module_url: str) -> None:
    with asyncio.Runner() as runner:
        Histories.catalog, Histories.runner = Catalog(module_url), runner
        try:
            run_state_machine_as_test(
                Histories,
                settings=settings(
                    max_examples=20,
                    stateful_step_count=20,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(Histories.catalog.close())


@pytest.fixture
async def catalog(module_url: str) -> AsyncIterator[Catalog]:
    opened = Catalog(module_url)
    yield opened
    await opened.transaction(lambda c: c.exec_driver_sql("TRUNCATE safelight_photos"))
    await opened.close()


async def _add(
    connection: AsyncConnection, owner: str, number: int = 1, *, taken: str | None = None
) -> list[int]:
    ids = [await connection.scalar(text(_ADD), {"owner": owner}) for _ in range(number)]
    published = {"ids": ids, "at": "2026-11-01Z", "taken": taken}
    await connection.execute(text(_PUBLISH), published)
    return ids


async def _read_months(catalog: Catalog, owner: str, order: Order = Order.TAKEN) -> dict[str, int]:
    months = await catalog.months(owner, order=order)
    return {f"{month.begins:%Y-%m}": month.count for month in months}


async def test_concurrent_transactions_and_folds_lose_and_double_nothing(catalog: Catalog) -> None:
    rng = random.Random(17)
    folds = asyncio.Event()

    async def write(number: int) -> None:
        for n in range(30):
            async with catalog._database._engine.connect() as pooled:
                connection = await pooled.execution_options(isolation_level="READ COMMITTED")
                async with connection.begin() as transaction:
                    ids = await _add(connection, "o", 2, taken=rng.choice(MONTHS_OF_TESTS))
                    await asyncio.sleep(0)
                    statement = rng.choice([_SOFT_DELETE, _DELETE, _CHANGE_DATE, _PUBLISH])
                    values = {"taken": None, "at": "2026-11-01Z", "ids": ids[:1]}
                    named = {key: values[key] for key in values if f":{key}" in statement}
                    await connection.execute(text(statement), named)
                    if (n + number) % 3 == 0:
                        await transaction.rollback()

    async def fold_always() -> None:
        while not folds.is_set():
            await catalog.month_counts.fold_all()
            assert await catalog.month_drift.find("o") == []

    async with asyncio.TaskGroup() as group:
        folding = [group.create_task(fold_always()) for _ in range(2)]
        await asyncio.gather(*map(write, range(4)))
        folds.set()
        await asyncio.gather(*folding)
    await catalog.month_counts.fold_all()
    assert await catalog.month_drift.find("o") == []
    assert await catalog.read(_read_leftovers) == (0, 0)
    months = await _read_months(catalog, "o", Order.ADDED)
    assert 80 <= months["2026-11"] <= 160


async def test_open_transactions_of_one_month_do_not_wait_for_each_other(catalog: Catalog) -> None:
    async with _open(catalog) as one, _open(catalog) as two:
        for connection in (one, two):
            await connection.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
            await _add(connection, "o")
        await catalog.month_counts.fold_all()
        await _add(one, "o")
        await one.exec_driver_sql("COMMIT")
        assert await _read_months(catalog, "o") == {"2026-11": 2}
        await catalog.month_counts.fold_all()
        await two.exec_driver_sql("COMMIT")
    assert await _read_months(catalog, "o") == {"2026-11": 3}


@asynccontextmanager
async def _open(catalog: Catalog) -> AsyncIterator[AsyncConnection]:
    """Yield a connection in a transaction, which the test has to end."""
    async with catalog._database._engine.connect() as connection:
        await connection.exec_driver_sql("BEGIN")
        yield connection


async def test_one_statement_for_many_photos_adds_one_change_per_month(catalog: Catalog) -> None:
    ids = await catalog.transaction(lambda c: _add(c, "o", 50))
    assert await catalog.read(_read_leftovers) == (2, 0)
    await catalog.transaction(
        lambda c: c.execute(text(_CHANGE_DATE), {"ids": ids, "taken": "2024-02-29"})
    )
    assert await catalog.read(_read_leftovers) == (4, 0)
    assert await _read_months(catalog, "o") == {"2024-02": 50}


async def test_changes_of_captions_and_renditions_change_no_count(catalog: Catalog) -> None:
    await catalog.transaction(lambda c: _add(c, "o"))
    await catalog.month_counts.fold_all()
    await catalog.transaction(
        lambda c: c.exec_driver_sql("UPDATE safelight_photos SET title = 'x', renditions = '[]'")
    )
    assert await catalog.read(_read_leftovers) == (0, 0)


async def test_truncated_table_has_no_months(catalog: Catalog) -> None:
    await catalog.transaction(lambda c: _add(c, "o"))
    await catalog.month_counts.fold_all()
    await catalog.transaction(lambda c: _add(c, "o"))
    await catalog.transaction(lambda c: c.exec_driver_sql("TRUNCATE safelight_photos"))
    assert await _read_months(catalog, "o") == {}
    assert await catalog.month_drift.next_owner(None) is None


async def test_reads_and_uploads_fold_where_no_worker_runs(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "_FOLD_AT", 3)
    for _ in range(4):
        await catalog.transaction(lambda c: _add(c, "o"))
    assert await _read_months(catalog, "o") == {"2026-11": 4}
    assert await catalog.read(_read_leftovers) == (0, 0)
    await catalog.transaction(lambda c: _add(c, "o"))
    assert await catalog.read(_read_leftovers) == (2, 0)
    monkeypatch.setattr(reservations, "FOLD_EVERY", 1)
    await _upload(catalog, "o")
    assert await catalog.read(_read_leftovers) == (0, 0)
    assert await _read_months(catalog, "o") == {"2026-11": 6}
    monkeypatch.setattr(reservations, "FOLD_EVERY", 1 << 60)
    await _upload(catalog, "o")
    assert await catalog.read(_read_leftovers) == (2, 0)


async def _upload(catalog: Catalog, owner: str) -> None:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    row = await catalog.reservations.reserve(
        owner, Caption(), storage_id=keys.new_storage_id(), now=now
    )
    facts = ImageFacts(format="jpeg", content_type="image/jpeg", width=1, height=1)
    sha256 = keys.new_storage_id() * 2
    await catalog.reservations.publish(row, facts, size=1, sha256=sha256, now=now)


async def test_fold_is_bounded_and_continues(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "BATCH", 3)
    for _ in range(4):
        await catalog.transaction(lambda c: _add(c, "o"))
    assert await catalog.transaction(fold) == 3
    assert await _read_months(catalog, "o") == {"2026-11": 4}
    await catalog.month_counts.fold_all()
    assert await catalog.read(_read_leftovers) == (0, 0)


async def test_wrong_counts_are_found_and_repaired_once(catalog: Catalog) -> None:
    await catalog.transaction(lambda c: _add(c, "o", 3))
    await catalog.month_counts.fold_all()
    await catalog.transaction(
        lambda c: c.exec_driver_sql(
            "UPDATE safelight_month_counts SET photos = 5 WHERE sort = 'taken';"
            " INSERT INTO safelight_month_counts VALUES ('p', 'added', '2020-01-01', 1)"
        )
    )
    (found,) = await catalog.month_drift.find("o")
    assert (found.order, found.photos, found.counted) == (Order.TAKEN, 3, 5)
    assert await catalog.month_drift.next_owner("o") == "p"
    async with _open(catalog) as uploading:
        await _add(uploading, "o")
        repaired = await asyncio.gather(*(catalog.month_drift.repair("o") for _ in range(2)))
        await uploading.exec_driver_sql("COMMIT")
    assert sorted(map(len, repaired)) == [0, 1]
    assert len(await catalog.month_drift.repair("p")) == 1
    assert await _read_months(catalog, "o") == {"2026-11": 4}
    assert await _read_months(catalog, "p", Order.ADDED) == {}


async def test_months_are_read_without_reading_photos(catalog: Catalog) -> None:
    async def explain(connection: AsyncConnection) -> str:
        await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        query = f"EXPLAIN {MONTHS[Order.TAKEN].sql}"
        return "\n".join((await connection.exec_driver_sql(query, {"owner": "o"})).scalars())

    plan = await catalog.transaction(explain)
    assert "safelight_photos" not in plan
    assert "safelight_month_counts_pkey" in plan
    assert "safelight_month_changes_owner_sort_idx" in plan


def test_photos_of_a_role_without_rights_on_the_counts_are_counted(
    postgres: EmbeddedEngines, module_url: str
) -> None:
    """A host application may write photos as another role, with another search path."""
    role = sql.Identifier("a_host")
    with psycopg.connect(postgres.superuser_url, autocommit=True) as superuser:
        superuser.execute(sql.SQL("CREATE ROLE {}").format(role))
        try:
            with psycopg.connect(module_url, autocommit=True) as connection:
                grant = sql.SQL("GRANT {} TO {}").format
                superuser.execute(grant(role, sql.Identifier(connection.info.user)))
                connection.execute(
                    sql.SQL("GRANT SELECT, INSERT, UPDATE ON safelight_photos TO {}").format(role)
                )
                connection.execute(
                    sql.SQL("SET ROLE {}; SET search_path = pg_catalog").format(role)
                )
                connection.execute(
                    "INSERT INTO public.safelight_photos (owner, status, name, title, description,"
                    " filename, reserved_at, created_at, size, sha256, format, content_type, width,"
                    " height, frames, sort_at) VALUES ('host', 'ready', 'n', '', '', '', now(),"
                    " now(), 1, 'x', 'jpeg', 'image/jpeg', 1, 1, 1, now())"
                )
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute("SELECT FROM public.safelight_month_changes")
                connection.execute("RESET ROLE; RESET search_path")
                counted = connection.execute(
                    "SELECT sum(change) FROM safelight_month_changes WHERE owner = 'host'"
                ).fetchone()
                connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
        finally:
            superuser.execute(sql.SQL("DROP ROLE {}").format(role))
    assert counted == (2,), "one for each order"

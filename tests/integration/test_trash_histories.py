"""Lists, counts and objects follow from the calls about photos, in whatever order these come."""

import asyncio
import io
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from safelight import keys
from safelight.engines import EmbeddedEngines
from safelight.errors import NotFound
from safelight.library import Library
from safelight.models import Order
from support import pictures
from support.databases import database
from support.memory_library import open_memory_library
from support.reconcile import keys_of, list_objects

PHOTOS = [pictures.png(40 + n, 30) for n in range(3)]
NUMBER = st.integers(0, len(PHOTOS) - 1)
NUMBERS = st.lists(NUMBER, min_size=1, max_size=3, unique=True)
TIMES = st.sampled_from([datetime(2019, n, 7, tzinfo=UTC) for n in (1, 7, 12)])
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Expected:
    """What a photo has to be."""

    id: int
    taken: datetime = BEGIN
    title: str = ""
    is_trashed: bool = False


class Histories(RuleBasedStateMachine):
    """Calls about an owner's photos; what comes of each follows from those before it."""

    library: ClassVar[Library]
    runner: ClassVar[asyncio.Runner]
    _owners = count()

    def __init__(self) -> None:
        super().__init__()
        self.owner = f"owner {next(self._owners)}"
        self.photos: dict[int, Expected] = {}
        self.trashed: list[int] = []
        """The ids in the trash, the last trashed first; those of one call by id."""
        self.revoked: set[str] = set()
        """The original keys to which links were revoked."""

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def find(self, numbers: list[int], *, trashed: bool | None = None) -> dict[int, Expected]:
        """Return those of the photos that exist, or only those that are in the trash or aren't."""
        return {
            number: self.photos[number]
            for number in numbers
            if number in self.photos and trashed in {None, self.photos[number].is_trashed}
        }

    def ids(self, numbers: list[int]) -> list[int]:
        """Return the ids of photos; for each that doesn't exist, one that no photo has."""
        return [self.photos[n].id if n in self.photos else 2**40 + n for n in numbers]

    @initialize()
    def add_all(self) -> None:
        for number in range(len(PHOTOS)):
            self.add(number)

    @rule(number=NUMBER)
    def add(self, number: int) -> None:
        added = self.do(self.library.add(self.owner, io.BytesIO(PHOTOS[number])))
        known = self.photos.setdefault(number, Expected(added.photo.id))
        assert added.photo.id == known.id
        self.note_restored([known])

    @rule(numbers=NUMBERS, at_once=st.booleans())
    def trash(self, numbers: list[int], *, at_once: bool) -> None:
        listed = self.find(numbers, trashed=False)
        self.note_revoked(listed)
        if at_once:
            result = self.do(self.library.trash_many(self.owner, self.ids(numbers)))
            done = set(result.done)
        else:  # as when the server dies here, or the store is down
            marked = self.library.backends.catalog.trash.trash(
                self.owner, self.ids(numbers), now=self.library.now(), in_transaction=_noop
            )
            done = set(self.do(marked))
        assert done == {photo.id for photo in listed.values()}
        for photo in listed.values():
            photo.is_trashed = True
        self.trashed = sorted(done, reverse=True) + self.trashed

    @rule(numbers=NUMBERS)
    def restore(self, numbers: list[int]) -> None:
        trashed = self.find(numbers, trashed=True)
        result = self.do(self.library.restore_many(self.owner, self.ids(numbers)))
        assert set(result.done) == {photo.id for photo in trashed.values()}
        self.note_restored(list(trashed.values()))

    @rule(number=NUMBER)
    def revoke_links(self, number: int) -> None:
        listed = self.find([number], trashed=False)
        self.note_revoked(listed)
        (id_,) = self.ids([number])
        try:
            self.do(self.library.revoke_links(self.owner, id_))
        except NotFound:
            assert not listed
        else:
            assert listed

    @rule(numbers=NUMBERS)
    def delete(self, numbers: list[int]) -> None:
        existing = self.find(numbers)
        self.note_revoked(existing)
        result = self.do(self.library.delete_many(self.owner, self.ids(numbers)))
        assert set(result.done) == {photo.id for photo in existing.values()}
        for number in existing:
            self.note_deleted(number)

    @rule()
    def empty_trash(self) -> None:
        trashed = self.find(list(self.photos), trashed=True)
        self.note_revoked(trashed)
        assert self.do(self.library.empty_trash(self.owner)) == len(trashed)
        for number in trashed:
            self.note_deleted(number)

    @rule(number=NUMBER, title=st.sampled_from(["a", "b"]), taken=st.none() | TIMES)
    def edit(self, number: int, title: str, taken: datetime | None) -> None:
        (id_,) = self.ids([number])
        try:
            self.do(self.library.edit(self.owner, id_, title=title, taken_at=taken))
        except NotFound:
            assert not self.find([number], trashed=False)
            return
        photo = self.photos[number]
        photo.title, photo.taken = title, taken or photo.taken

    @rule()
    def run_job(self) -> None:
        self.do(self.library.components.rekeying.run())

    def note_restored(self, restored: list[Expected]) -> None:
        for photo in restored:
            photo.is_trashed = False
            if photo.id in self.trashed:
                self.trashed.remove(photo.id)

    def note_deleted(self, number: int) -> None:
        deleted = self.photos.pop(number)
        if deleted.id in self.trashed:
            self.trashed.remove(deleted.id)

    def note_revoked(self, found: dict[int, Expected]) -> None:
        for photo in found.values():
            work = self.library.backends.catalog.photo(self.owner, photo.id, in_trash_too=True)
            self.revoked.add(keys.original(self.do(work).storage_id))

    @invariant()
    def lists_and_counts_are_right(self) -> None:
        self.do(self._check_lists())

    async def _check_lists(self) -> None:
        library, owner = self.library, self.owner
        listed = {photo.id: photo for photo in self.photos.values() if not photo.is_trashed}
        expected = {
            Order.ADDED: Counter(BEGIN.month for _ in listed),
            Order.TAKEN: Counter(photo.taken.month for photo in listed.values()),
        }
        for order in Order:
            page = await library.list_photos(owner, order=order)
            assert len(page.photos) == len(listed)
            assert {photo.id: photo.title for photo in page.photos} == {
                id_: photo.title for id_, photo in listed.items()
            }
            months = await library.months(owner, order=order)
            assert {month.begins.month: month.count for month in months} == expected[order]
        assert await library.backends.catalog.month_drift.find(owner) == []
        assert [photo.id for photo in (await library.list_trash(owner)).photos] == self.trashed
        assert (await library.count_trash(owner))[0] == len(self.trashed)

    def teardown(self) -> None:
        self.do(self._check_objects())

    async def _check_objects(self) -> None:
        """Check that links are dead, and that each photo has its objects, and nothing is left."""
        await self.library.components.rekeying.run()
        ids = {photo.id: number for number, photo in self.photos.items()}
        found = await self.library.backends.catalog.photos(self.owner, list(ids), in_trash_too=True)
        assert len(found) == len(ids)
        stored = await list_objects(self.library)
        assert stored == {key for photo in found for key in keys_of(photo)}
        assert not stored & self.revoked
        for photo in found:
            data = bytearray()
            await self.library.backends.bucket.read(keys.original(photo.storage_id), data.extend)
            assert data == PHOTOS[ids[photo.id]]
        await self.library.delete_owner(self.owner)
        assert await list_objects(self.library) == set()


async def _noop(_connection: object) -> None:
    pass


def test_lists_counts_and_objects_follow_from_the_calls(
    postgres: EmbeddedEngines, tmp_path: Path
) -> None:
    seconds = count()

    def tick() -> datetime:
        return BEGIN + timedelta(seconds=next(seconds))

    with database(postgres) as url, asyncio.Runner() as runner:
        opened = open_memory_library(url, tmp_path, clock=tick)
        Histories.library, Histories.runner = runner.run(opened.__aenter__()), runner
        try:
            run_state_machine_as_test(
                Histories,
                settings=settings(
                    max_examples=8,
                    stateful_step_count=12,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(opened.__aexit__(None, None, None))

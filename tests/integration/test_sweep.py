"""The sweep: what was left undone is done later, and nothing holds it up."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from integration.served import House
from safelight import keys
from safelight.errors import StorageUnavailable
from safelight.library.sweep import FORGET_AFTER, Sweep
from safelight.storage import Storage


class _Stubborn(Storage):
    """The real store, but for some prefixes that it won't let go."""

    def __init__(self, store: Storage, kept: set[str]) -> None:
        self.__dict__.update(store.__dict__)
        self._kept = kept

    async def delete(self, keys: Sequence[str]) -> None:
        if any(key.startswith(tuple(self._kept)) for key in keys):
            raise StorageUnavailable
        await super().delete(keys)

    async def delete_prefix(self, prefix: str) -> None:
        if prefix in self._kept:
            raise StorageUnavailable
        await super().delete_prefix(prefix)


def _bury(house: House, owner: str, count: int, *, now: datetime | None = None) -> list[str]:
    """Make tombstones whose objects were never purged; gives their prefixes, oldest first."""
    catalog = house.library.parts.catalog
    ids = house.plant(owner, count)
    now = now or house.library.now()
    return [keys.prefix(house.do(catalog.bury(owner, id_, now=now)).name) for id_ in ids]


def _states(house: House, owner: str) -> list[str]:
    return [status for _, status, _ in house.rows(owner)]


def test_one_that_cannot_be_purged_does_not_hold_up_the_others(a_house: House) -> None:
    parts = a_house.library.parts
    prefixes = _bury(a_house, "stubborn", 4)
    later = a_house.library.now() + FORGET_AFTER + timedelta(minutes=1)
    stubborn = _Stubborn(parts.storage, {prefixes[1]})
    with pytest.raises(StorageUnavailable):
        a_house.do(Sweep(parts.catalog, stubborn, clock=lambda: later).once())
    assert _states(a_house, "stubborn") == ["deleted"]
    a_house.do(Sweep(parts.catalog, parts.storage, clock=lambda: later).once())
    assert _states(a_house, "stubborn") == []


def test_a_fresh_one_that_cannot_be_purged_keeps_no_old_one(a_house: House) -> None:
    parts = a_house.library.parts
    soon = a_house.library.now() + FORGET_AFTER / 2
    (fresh,) = _bury(a_house, "fresh", 1, now=soon)
    _bury(a_house, "old", 2)
    later = a_house.library.now() + FORGET_AFTER + timedelta(minutes=1)
    with pytest.raises(StorageUnavailable):
        a_house.do(
            Sweep(parts.catalog, _Stubborn(parts.storage, {fresh}), clock=lambda: later).once()
        )
    assert (_states(a_house, "fresh"), _states(a_house, "old")) == (["deleted"], [])


def test_a_store_that_is_away_is_not_asked_for_every_tombstone(a_house: House) -> None:
    parts = a_house.library.parts
    prefixes = _bury(a_house, "away", 6)
    asked: list[Sequence[str]] = []

    class Away(_Stubborn):
        async def delete(self, keys: Sequence[str]) -> None:
            asked.append(keys)
            raise StorageUnavailable

    sweep = Sweep(parts.catalog, Away(parts.storage, set()), clock=a_house.library.now)
    with pytest.raises(StorageUnavailable):
        a_house.do(sweep.purge())
    assert len(asked) == 4  # all in one, and three by themselves
    assert _states(a_house, "away") == ["deleted"] * len(prefixes)
    a_house.do(Sweep(parts.catalog, parts.storage, clock=a_house.library.now).once())

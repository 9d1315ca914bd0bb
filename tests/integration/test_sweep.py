"""The sweep: what was left undone is done later, and nothing holds it up."""

from datetime import timedelta

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

    async def delete_prefix(self, prefix: str) -> None:
        if prefix in self._kept:
            raise StorageUnavailable
        await super().delete_prefix(prefix)


def _bury(house: House, owner: str, count: int) -> list[str]:
    """Make tombstones whose objects were never purged; gives their prefixes, oldest first."""
    catalog = house.library.parts.catalog
    ids = house.plant(owner, count)
    now = house.library.now()
    return [keys.prefix(house.do(catalog.bury(owner, id_, now=now)).name) for id_ in ids]


def _states(house: House, owner: str) -> list[str]:
    return [status for _, status, _ in house.rows(owner)]


def test_one_that_cannot_be_purged_does_not_hold_up_the_others(a_house: House) -> None:
    parts = a_house.library.parts
    prefixes = _bury(a_house, "stubborn", 4)
    later = a_house.library.now() + FORGET_AFTER + timedelta(minutes=1)
    stubborn = _Stubborn(parts.storage, {prefixes[1]})
    a_house.do(Sweep(parts.catalog, stubborn, clock=lambda: later).once())
    assert _states(a_house, "stubborn") == ["deleted"]
    a_house.do(Sweep(parts.catalog, parts.storage, clock=lambda: later).once())
    assert _states(a_house, "stubborn") == []


def test_a_store_that_is_away_is_not_asked_for_every_tombstone(a_house: House) -> None:
    parts = a_house.library.parts
    prefixes = _bury(a_house, "away", 6)
    asked: list[str] = []

    class Away(_Stubborn):
        async def delete_prefix(self, prefix: str) -> None:
            asked.append(prefix)
            raise StorageUnavailable

    sweep = Sweep(parts.catalog, Away(parts.storage, set()), clock=a_house.library.now)
    with pytest.raises(StorageUnavailable):
        a_house.do(sweep.once())
    assert len(asked) == 3
    assert _states(a_house, "away") == ["deleted"] * len(prefixes)
    a_house.do(Sweep(parts.catalog, parts.storage, clock=a_house.library.now).once())

"""Turns at the darkroom: in order, bounded, fewer at once while many read, and none is lost."""

import asyncio
import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.darkroom.pool import Darkroom
from safelight.darkroom.queue import Queue
from safelight.darkroom.readers import Readers
from safelight.errors import Busy
from safelight.settings import LimitSettings


class _Room:
    """How many may work at once, as the test says."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.most = 0
        self.done: list[int] = []

    async def work(self, queue: Queue, number: int, pauses: int) -> None:
        async with queue.turn():
            self.most = max(self.most, queue.working)
            for _ in range(pauses):
                await asyncio.sleep(0)
            self.done.append(number)


def _queue(room: _Room, *, servers: int = 3, max_waiting: int = 100) -> Queue:
    return Queue(servers=servers, max_waiting=max_waiting, at_once=lambda: room.at_once)


async def _soon() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_turns_come_in_order_and_no_more_at_once_than_allowed() -> None:
    room = _Room(2)
    queue = _queue(room)
    await asyncio.wait_for(asyncio.gather(*(room.work(queue, n, 3) for n in range(20))), 5)
    assert room.done == list(range(20))
    assert room.most == 2
    assert queue.working == queue.waiting == 0


async def test_room_that_comes_or_goes_counts_from_the_next_turn_on() -> None:
    room = _Room(1)
    queue = _queue(room)
    tasks = [asyncio.create_task(room.work(queue, number, 10)) for number in range(9)]
    await _soon()
    assert queue.working == 1
    room.at_once = 3
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=5)
    await _soon()
    assert queue.working == 3
    room.at_once = 1
    await asyncio.wait(tasks[1:4], timeout=5)
    await _soon()
    assert queue.working == 1, "one goes on, whoever still waits"
    await asyncio.wait_for(asyncio.gather(*tasks), 5)


async def test_of_too_many_the_last_is_refused_at_once_and_told_for_how_long() -> None:
    room = _Room(1)
    queue = _queue(room, max_waiting=2)
    tasks = [asyncio.create_task(room.work(queue, number, 10)) for number in range(3)]
    await _soon()
    queue._average = 10.0
    with pytest.raises(Busy) as caught:
        await room.work(queue, 3, 0)
    assert caught.value.retry_after
    assert caught.value.retry_after.total_seconds() == 30
    await asyncio.wait_for(asyncio.gather(*tasks), 5)


async def test_where_nobody_may_wait_there_is_a_turn_all_the_same() -> None:
    room = _Room(1)
    queue = _queue(room, max_waiting=0)
    first = asyncio.create_task(room.work(queue, 0, 10))
    await _soon()
    with pytest.raises(Busy):
        await room.work(queue, 1, 0)
    await asyncio.wait_for(first, 5)
    await asyncio.wait_for(room.work(queue, 2, 0), 5)
    assert room.done == [0, 2]


@given(seed=st.integers(0, 2**32))
def test_no_place_is_lost_to_those_that_give_up(seed: int) -> None:
    chance = random.Random(seed)

    async def crowd() -> None:
        room = _Room(2)
        queue = _queue(room)
        tasks = [
            asyncio.create_task(room.work(queue, number, chance.randrange(4)))
            for number in range(12)
        ]
        for task in chance.sample(tasks, 6):
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            room.at_once = chance.randint(1, 3)
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await asyncio.wait_for(task, 5)
        assert queue.working == queue.waiting == 0
        assert room.most <= 3
        room.at_once = 3
        turns = [queue.turn() for _ in range(3)]
        async with asyncio.timeout(5):
            for turn in turns:
                await turn.__aenter__()
        for turn in turns:
            await turn.__aexit__(None, None, None)

    asyncio.run(crowd())


def test_many_read_when_five_did_within_a_second() -> None:
    now = 0.0
    readers = Readers(clock=lambda: now)
    for _ in range(20):
        assert not readers.many()
        readers.note()
        now += 0.3
    for _ in range(5):
        readers.note()
        now += 0.1
    assert readers.many()
    now += 0.45
    assert readers.many()
    now += 0.1
    assert not readers.many()


def test_a_processor_is_left_to_many_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    darkroom = Darkroom(LimitSettings())
    places = darkroom.queue.servers
    assert darkroom.queue._at_once() == places
    for _ in range(5):
        darkroom.readers.note()
    assert darkroom.queue._at_once() == 1
    assert darkroom.queue.servers == places

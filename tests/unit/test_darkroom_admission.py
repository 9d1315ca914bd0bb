"""Admission to the darkroom: in order, bounded, fewer slots while many read, no slot lost."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.darkroom import admission
from safelight.darkroom.admission import AdmissionQueue
from safelight.darkroom.capacity import ReadLoad
from safelight.darkroom.pool import Darkroom
from safelight.darkroom.ticket import Ticket
from safelight.errors import Busy
from safelight.settings import LimitSettings


class _Workload:
    """Jobs for a queue, whose limit the test sets."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.max_working = 0
        self.done: list[int] = []

    async def work(self, queue: AdmissionQueue, number: int, pauses: int) -> None:
        async with queue.slot():
            self.max_working = max(self.max_working, queue.working)
            for _ in range(pauses):
                await asyncio.sleep(0)
            self.done.append(number)


def _queue(load: _Workload, *, servers: int = 3, max_waiting: int = 100) -> AdmissionQueue:
    return AdmissionQueue(servers=servers, max_waiting=max_waiting, at_once=lambda: load.limit)


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_jobs_run_in_order_within_the_limit() -> None:
    load = _Workload(2)
    queue = _queue(load)
    await asyncio.wait_for(asyncio.gather(*(load.work(queue, n, 3) for n in range(20))), 5)
    assert load.done == list(range(20))
    assert load.max_working == 2
    assert queue.working == queue.waiting == 0


async def test_changed_limit_applies_to_the_next_job() -> None:
    load = _Workload(1)
    queue = _queue(load)
    tasks = [asyncio.create_task(load.work(queue, number, 10)) for number in range(9)]
    await _settle()
    assert queue.working == 1
    load.limit = 3
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=5)
    await _settle()
    assert queue.working == 3
    load.limit = 1
    await asyncio.wait(tasks[1:4], timeout=5)
    await _settle()
    assert queue.working == 1, "one keeps working while others wait"
    await asyncio.wait_for(asyncio.gather(*tasks), 5)


async def test_job_beyond_the_queue_is_busy_at_once_with_retry_after() -> None:
    load = _Workload(1)
    queue = _queue(load, max_waiting=2)
    tasks = [asyncio.create_task(load.work(queue, number, 10)) for number in range(3)]
    await _settle()
    queue._average = 10.0
    with pytest.raises(Busy) as caught:
        await load.work(queue, 3, 0)
    assert caught.value.retry_after
    assert caught.value.retry_after.total_seconds() == 30
    await asyncio.wait_for(asyncio.gather(*tasks), 5)


async def test_queue_without_waiting_still_admits_to_a_free_slot() -> None:
    load = _Workload(1)
    queue = _queue(load, max_waiting=0)
    first = asyncio.create_task(load.work(queue, 0, 10))
    await _settle()
    with pytest.raises(Busy):
        await load.work(queue, 1, 0)
    await asyncio.wait_for(first, 5)
    await asyncio.wait_for(load.work(queue, 2, 0), 5)
    assert load.done == [0, 2]


async def _order(queue: AdmissionQueue, jobs: Sequence[tuple[str, bool]]) -> list[str]:
    """Queue jobs of owners, expensive or not, behind another one; return the owners in order."""
    order = []

    async def work(owner: str, *, expensive: bool) -> None:
        ticket = await queue.wait(owner, expensive=expensive)
        order.append(owner)
        await asyncio.sleep(0)
        queue.leave(ticket, 0.1)

    first = await queue.wait("first")
    tasks = [asyncio.create_task(work(owner, expensive=costly)) for owner, costly in jobs]
    await _settle()
    queue.leave(first, 0.1)
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    return order


async def test_owners_take_turns() -> None:
    queue = AdmissionQueue(servers=1, max_waiting=100)
    jobs = [(owner, False) for owner in "aaaabbc"]
    assert await _order(queue, jobs) == list("abcabaa")


async def test_owner_with_fewest_at_work_is_next() -> None:
    queue = AdmissionQueue(servers=2, max_waiting=100)
    busy = await queue.wait("a")
    assert await _order(queue, [("a", False), ("b", False)]) == list("ba")
    queue.leave(busy, 0.1)


async def test_preferred_owner_continues_until_its_turn_is_over() -> None:
    done = Counter[str]()
    queue = AdmissionQueue(
        servers=1,
        max_waiting=100,
        done_in_turn=lambda lane: done["b"] if lane == (False, "b") else None,
    )

    async def work(owner: str) -> str:
        async with queue.slot(owner):
            done[owner] += 1
            order.append(owner)
        return owner

    order: list[str] = []
    first = await queue.wait("first")
    tasks = [asyncio.create_task(work(owner)) for owner in "aaacdebbbbb"]
    await _settle()
    queue.leave(first, 0.1)
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert "".join(order).startswith("bbacdeb")


async def test_client_goes_before_the_background() -> None:
    queue, order = AdmissionQueue(servers=1, max_waiting=100), list[str]()
    first = await queue.wait("first")

    async def work(owner: str, *, background: bool) -> None:
        ticket = await queue.wait(owner, background=background)
        order.append(owner)
        queue.leave(ticket, 0.1)

    tasks = [asyncio.create_task(work(owner, background=owner.islower())) for owner in "abABcCdD"]
    await _settle()
    assert queue.waiting == 4, "only clients count"
    queue.leave(first, 0.1)
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert "".join(order) == "ABCDabcd"


async def test_background_holds_up_no_client() -> None:
    queue = AdmissionQueue(servers=2, max_waiting=100)
    background = [await queue.wait("b", background=True) for _ in range(2)]
    clients = [await asyncio.wait_for(queue.wait("c"), 1) for _ in range(2)]
    third = asyncio.create_task(queue.wait("c"))
    job = asyncio.create_task(queue.wait("b", background=True))
    await _settle()
    assert not third.done()
    assert not job.done()
    for ticket in (*background, *clients):
        queue.leave(ticket, 0.1)
    for task in (third, job):
        queue.leave(await asyncio.wait_for(task, 1), 0.1)
    await _settle()
    assert queue.working == queue.waiting == 0


@pytest.mark.parametrize(("limit", "starts"), [(2, 1), (1, 0)], ids=["usual", "many read"])
async def test_background_starts_beside_clients_after_a_while(
    monkeypatch: pytest.MonkeyPatch, limit: int, starts: int
) -> None:
    monkeypatch.setattr(admission, "_PATIENCE", 0)
    load = _Workload(limit)
    queue = _queue(load, servers=2)
    for _ in range(limit):
        await queue.wait("client")
    jobs = [asyncio.create_task(queue.wait("job", background=True)) for _ in range(3)]
    await asyncio.wait(jobs, timeout=0.05)
    assert sum(job.done() for job in jobs) == starts
    for job in jobs:
        job.cancel()


async def test_background_gives_way_when_a_client_needs_its_memory() -> None:
    queue = AdmissionQueue(servers=2, max_waiting=100, memory=10)
    ended = list[str]()

    def end(job: Ticket) -> None:
        ended.append(job.owner)
        queue.leave(job, 0.1)

    for name in ("one", "two"):
        job = await queue.wait(name, memory=4, background=True)
        job.give_way = partial(end, job)
    small = await asyncio.wait_for(queue.wait("client", memory=2), 1)
    assert not ended
    large = asyncio.create_task(queue.wait("client", memory=6))
    queue.leave(await asyncio.wait_for(large, 1), 0.1)
    assert len(ended) == 2
    queue.leave(small, 0.1)


async def test_background_keeps_its_memory_if_that_would_not_do() -> None:
    """The client waits for another client anyway."""
    queue = AdmissionQueue(servers=3, max_waiting=100, memory=10)
    first = await queue.wait("client", memory=8, expensive=True)
    job, ended = await queue.wait("job", memory=2, background=True), list[bool]()
    job.give_way = lambda: ended.append(True)
    second = asyncio.create_task(queue.wait("other", memory=5))
    await _settle()
    assert not ended
    queue.leave(first, 0.1)
    queue.leave(await asyncio.wait_for(second, 1), 0.1)


async def test_full_queue_refuses_the_owner_who_fills_it() -> None:
    queue = AdmissionQueue(servers=1, max_waiting=3)
    first = await queue.wait("a")
    greedy = [asyncio.create_task(queue.wait("a")) for _ in range(3)]
    await _settle()
    with pytest.raises(Busy):
        queue.require_room("a")
    queue.require_room("b")
    modest = asyncio.create_task(queue.wait("b"))
    with pytest.raises(Busy):
        await greedy[2]
    queue.leave(first, 0.1)
    for task in asyncio.as_completed([modest, *greedy[:2]], timeout=5):
        queue.leave(await task, 0.1)
    assert queue.working == queue.waiting == 0


async def test_expensive_jobs_leave_a_slot() -> None:
    queue = AdmissionQueue(servers=2, max_waiting=100)
    slow = await queue.wait("a", expensive=True)
    second = asyncio.create_task(queue.wait("a", expensive=True))
    await _settle()
    assert not second.done()
    queue.leave(await queue.wait("b"), 0.1)
    queue.leave(await queue.wait("a"), 0.1)
    queue.leave(slow, 20.0)
    queue.leave(await second, 0.1)


async def test_cheap_job_runs_beside_an_expensive_one_while_many_read() -> None:
    queue = AdmissionQueue(servers=2, max_waiting=100, at_once=lambda: 1)
    slow = await queue.wait("a", expensive=True)
    cheap = await asyncio.wait_for(queue.wait("b"), 5)
    another = asyncio.create_task(queue.wait("c"))
    await _settle()
    assert not another.done()
    queue.leave(slow, 20.0)
    queue.leave(cheap, 0.1)
    queue.leave(await another, 0.1)


async def test_extra_slot_is_for_owners_without_expensive_jobs() -> None:
    queue = AdmissionQueue(servers=1, max_waiting=100, extra=1)
    slow = await queue.wait("a", expensive=True)
    own = asyncio.create_task(queue.wait("a"))
    cheap = await asyncio.wait_for(queue.wait("b"), 5)
    assert not own.done()
    queue.leave(cheap, 0.1)
    queue.leave(slow, 20.0)
    queue.leave(await own, 0.1)


async def test_job_that_takes_long_counts_as_expensive(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = AdmissionQueue(servers=1, max_waiting=100, extra=1)
    monkeypatch.setattr(admission, "_LONG", 0.02)
    slow = await queue.wait("a")
    cheap = await asyncio.wait_for(queue.wait("b"), 5)
    assert slow.expensive
    queue.leave(slow, 20.0)
    queue.leave(cheap, 0.1)
    assert not queue._expensive
    assert not queue._at_work


async def test_single_slot_takes_expensive_jobs_too() -> None:
    queue = AdmissionQueue(servers=1, max_waiting=100)
    assert await _order(queue, [("a", True), ("b", False), ("a", True)]) == list("aba")


async def test_large_job_waits_for_memory_and_small_ones_run_beside_it() -> None:
    queue = AdmissionQueue(servers=4, max_waiting=100, extra=1, memory=6)
    small = [await queue.wait(owner, memory=1) for owner in "abcd"]
    large = asyncio.create_task(queue.wait("e", expensive=True, memory=5))
    await _settle()
    queue.leave(small.pop(), 0.1)
    await _settle()
    late = asyncio.create_task(queue.wait("f", memory=1))
    await _settle()
    assert not large.done()
    assert not late.done(), "it would hold up the large one, which is first"
    queue.leave(small.pop(), 0.1)
    queue.leave(small.pop(), 0.1)
    ticket = await asyncio.wait_for(large, 5)
    queue.leave(small.pop(), 0.1)
    another = asyncio.create_task(queue.wait("g", expensive=True, memory=5))
    await _settle()
    for owner in "fghab":  # They don't wait for `another`, which has to wait for `large`.
        queue.leave(
            await asyncio.wait_for(late if owner == "f" else queue.wait(owner, memory=1), 5), 0.1
        )
    assert not another.done()
    queue.leave(ticket, 20.0)
    queue.leave(await asyncio.wait_for(another, 5), 20.0)
    assert queue.free_memory == 6


async def test_job_larger_than_all_memory_runs_alone() -> None:
    queue = AdmissionQueue(servers=2, max_waiting=100, memory=6)
    large = await asyncio.wait_for(queue.wait("a", expensive=True, memory=9), 5)
    beside = asyncio.create_task(queue.wait("b", memory=1))
    await _settle()
    assert not beside.done()
    queue.leave(large, 20.0)
    queue.leave(await asyncio.wait_for(beside, 5), 0.1)
    assert queue.free_memory == 6


@given(seed=st.integers(0, 2**32))
def test_jobs_at_work_never_have_more_than_all_memory(seed: int) -> None:
    rng = random.Random(seed)

    async def work(queue: AdmissionQueue, owner: str, memory: int) -> None:
        ticket = await queue.wait(owner, expensive=memory > 1, memory=memory)
        try:
            assert 0 <= queue.free_memory == 6 - sum(each.memory for each in queue._running)
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
        finally:
            queue.leave(ticket, 0.1)

    async def run() -> None:
        queue = AdmissionQueue(servers=rng.randint(1, 4), max_waiting=100, extra=1, memory=6)
        jobs = [work(queue, rng.choice("abc"), rng.choice([1, 1, 1, 4, 6])) for _ in range(20)]
        tasks = [asyncio.create_task(job) for job in jobs]
        await _settle()
        for task in rng.sample(tasks, 4):
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await asyncio.wait_for(task, 5)
        assert (queue.free_memory, queue.working, queue.waiting) == (6, 0, 0)

    asyncio.run(run())


@given(seed=st.integers(0, 2**32))
def test_cancelled_jobs_lose_no_slot(seed: int) -> None:
    rng = random.Random(seed)

    async def cancel_half() -> None:
        load = _Workload(2)
        queue = _queue(load)
        tasks = [
            asyncio.create_task(load.work(queue, number, rng.randrange(4))) for number in range(12)
        ]
        for task in rng.sample(tasks, 6):
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            load.limit = rng.randint(1, 3)
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await asyncio.wait_for(task, 5)
        assert queue.working == queue.waiting == 0
        assert load.max_working <= 3
        load.limit = 3
        slots = [queue.slot() for _ in range(3)]
        async with asyncio.timeout(5):
            for slot in slots:
                await slot.__aenter__()
        for slot in slots:
            await slot.__aexit__(None, None, None)

    asyncio.run(cancel_half())


def test_read_load_is_high_after_five_reads_in_a_second() -> None:
    now = 0.0
    load = ReadLoad(decoders=2, under_load=1, clock=lambda: now)
    for _ in range(20):
        assert load.allowed_decoders() == 2
        load.record()
        now += 0.3
    for _ in range(5):
        load.record()
        now += 0.1
    assert load.allowed_decoders() == 1
    now += 0.45
    assert load.allowed_decoders() == 1
    now += 0.1
    assert load.allowed_decoders() == 2


def test_read_load_reduces_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    darkroom = Darkroom(LimitSettings())
    places = darkroom.queue.servers
    assert darkroom.queue._limit() == places
    for _ in range(5):
        darkroom.read_load.record()
    assert darkroom.queue._limit() == 1
    assert darkroom.queue.servers == places

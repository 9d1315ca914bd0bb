"""The darkroom as the server has it: what becomes of the photos when children die."""

import asyncio
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop

import pictures
from darkrooms import drill, inspect, inspect_drill, open_darkroom, pids, runs, status_of, works
from safelight import errors
from safelight.darkroom import pool
from safelight.darkroom.pool import Darkroom

GIB = 1 << 30


@pytest_asyncio.fixture(loop_scope="session")
async def darkroom() -> AsyncIterator[Darkroom]:
    async with open_darkroom(decode_memory=GIB // 2) as room:
        await room.start()
        yield room


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "astronaut.jpg"
    path.write_bytes(pictures.jpeg())
    return path


async def test_our_place_in_the_file_is_not_moved(darkroom: Darkroom, photo: Path) -> None:
    with photo.open("rb") as file:
        file.seek(17)
        await darkroom.inspect(file)
        assert file.tell() == 17


async def test_a_picture_without_a_name_in_any_folder_is_read(darkroom: Darkroom) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(pictures.webp())
        file.flush()
        assert (await darkroom.inspect(file.fileno())).facts.format == "webp"


@pytest.mark.parametrize("act", ["crash", "hog", "quit", "babble"])
async def test_a_picture_that_brings_its_child_down_is_refused_alone(
    darkroom: Darkroom, photo: Path, act: str
) -> None:
    with pytest.raises(errors.CorruptImage):
        await inspect_drill(darkroom, act)
    assert await works(darkroom, photo)


async def test_a_decode_that_never_ends_is_killed_at_the_deadline(photo: Path) -> None:
    async with open_darkroom(decode_seconds=1) as room:
        assert await works(room, photo)
        before = pids(room)
        began = time.monotonic()
        with pytest.raises(errors.CorruptImage, match="too long"):
            await drill(room, "hang")
        assert time.monotonic() - began >= 1
        assert not pids(room) & before
        assert await works(room, photo)


async def test_a_decode_that_other_processes_keep_from_its_end_is_no_photo_s_fault(
    photo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In a tenth of a second nothing can have had the second that it may have."""
    async with open_darkroom(decode_seconds=1) as room:
        assert await works(room, photo)
        before = pids(room)
        room._deadline = timedelta(seconds=0.1)
        with pytest.raises(errors.Busy):
            await drill(room, "spin")
        assert "other processes" in caplog.text
        assert room.deaths == 0
        room._deadline = timedelta(seconds=60)
        assert not pids(room) & before
        assert await works(room, photo)


async def test_a_child_killed_in_the_middle_of_a_picture_is_replaced(
    darkroom: Darkroom, photo: Path
) -> None:
    """Twice: it may have been the picture."""
    job, killed = asyncio.create_task(drill(darkroom, "hang")), set[int]()
    for _ in range(2):
        while not (job.done() or pids(darkroom) - killed):  # noqa: ASYNC110  a process tells nobody
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        (pid,) = pids(darkroom)
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
    with pytest.raises(errors.CorruptImage):
        await job
    assert await works(darkroom, photo)


async def test_a_picture_whose_child_was_killed_by_somebody_is_given_to_another(
    darkroom: Darkroom,
) -> None:
    """It was a 422 that called a good photo damaged, and ended the job of its renditions."""
    picture = pictures.jpeg(6000, 4000, progressive=True)  # which takes long enough to be killed
    job = asyncio.create_task(inspect(darkroom, picture))
    before = pids(darkroom).pop()
    while not _is_at_work(before):  # noqa: ASYNC110  a process tells nobody
        await asyncio.sleep(0.001)
    os.kill(before, signal.SIGKILL)
    assert (await job).facts.width == 6000
    assert before not in pids(darkroom)


def _is_at_work(pid: int) -> bool:
    return "State:\tR" in status_of(pid)


async def test_a_child_killed_between_two_pictures_is_blamed_on_neither(
    darkroom: Darkroom, photo: Path
) -> None:
    for wait in (0.0, 0.2):
        assert await works(darkroom, photo)
        os.kill(pids(darkroom).pop(), signal.SIGKILL)
        await asyncio.sleep(wait)
        assert await works(darkroom, photo)


async def test_all_children_killed_between_two_pictures_are_replaced(photo: Path) -> None:
    async with open_darkroom(children=3) as room:
        assert all(await asyncio.gather(*(works(room, photo) for _ in range(3))))
        killed = pids(room)
        assert len(killed) == 3
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.3)
        assert await works(room, photo)


async def test_a_picture_that_is_refused_does_not_cost_a_child(
    darkroom: Darkroom, photo: Path, tmp_path: Path
) -> None:
    before = pids(darkroom)
    broken = tmp_path / "half.jpg"
    broken.write_bytes(pictures.cut(pictures.jpeg(), 50))
    with pytest.raises(errors.CorruptImage):
        await works(darkroom, broken)
    with pytest.raises(errors.CorruptImage):
        await inspect_drill(darkroom, "hog")  # No more than an error to the child.
    assert await works(darkroom, photo)
    assert pids(darkroom) == before


async def test_a_picture_nobody_waits_for_any_more_gives_its_place_free(
    darkroom: Darkroom, photo: Path
) -> None:
    (before,) = pids(darkroom)
    for _ in range(3):
        job = asyncio.create_task(drill(darkroom, "hang"))
        await asyncio.sleep(0.3)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
    assert await works(darkroom, photo)
    await asyncio.gather(*darkroom._endings)
    assert not runs(before)
    assert len(pids(darkroom)) == 1


async def _wait_for(room: Darkroom, *, waiting: int) -> None:
    """Wait until one is at work, and so many others wait."""
    async with asyncio.timeout(30):
        while (room.queue.working, room.queue.waiting) != (1, waiting):  # noqa: ASYNC110  the queue tells nobody
            await asyncio.sleep(0.01)


async def test_one_who_leaves_the_queue_takes_no_place(darkroom: Darkroom, photo: Path) -> None:
    first = asyncio.create_task(drill(darkroom, "hang"))
    await _wait_for(darkroom, waiting=0)
    second = asyncio.create_task(works(darkroom, photo))
    third = asyncio.create_task(works(darkroom, photo))
    await _wait_for(darkroom, waiting=2)
    second.cancel()
    await asyncio.sleep(0)
    first.cancel()
    assert await third
    assert darkroom.queue.waiting == 0


async def test_when_too_many_wait_the_next_is_told_when_to_come_back(photo: Path) -> None:
    async with open_darkroom(max_waiting=2) as room:
        jobs = [asyncio.create_task(drill(room, "hang"))]
        jobs += [asyncio.create_task(works(room, photo)) for _ in range(2)]
        await _wait_for(room, waiting=2)
        with pytest.raises(errors.Busy) as refusal:
            await works(room, photo)
        assert timedelta(seconds=1) <= refusal.value.retry_after <= timedelta(seconds=300)
        jobs[0].cancel()
        assert all(await asyncio.gather(*jobs[1:]))
        assert await works(room, photo)


async def test_pictures_are_decoded_side_by_side_and_no_more_than_allowed(photo: Path) -> None:
    async with open_darkroom(children=2) as room:
        assert all(await asyncio.gather(*(works(room, photo) for _ in range(20))))
        assert len(pids(room)) == 2


async def test_a_child_is_retired_after_its_number_of_pictures(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_JOBS", 3)
    async with open_darkroom() as room:
        seen = []
        for _ in range(7):
            with photo.open("rb") as file:
                await room.inspect(file)
            seen.append(room._idle[0][0].pid if room._idle else 0)
    assert seen[0] == seen[1]
    assert seen[2] == 0
    assert seen[3] == seen[4] != seen[0]


async def test_an_idle_child_is_let_go(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_IDLE", timedelta(milliseconds=200))
    async with open_darkroom() as room:
        assert await works(room, photo)
        (pid,) = pids(room)
        async with asyncio.timeout(30):
            while pids(room):  # noqa: ASYNC110  a process tells nobody
                await asyncio.sleep(0.05)
        await asyncio.gather(*room._endings)
        assert not runs(pid)
        assert await works(room, photo)


async def test_nothing_runs_on_after_the_close(photo: Path) -> None:
    async with open_darkroom(children=2) as room:
        await room.start()
        job = asyncio.create_task(drill(room, "hang"))
        waiting = asyncio.create_task(works(room, photo))
        await asyncio.sleep(0.5)
        running = pids(room)
        await room.close()
        assert not any(map(runs, running))
        with pytest.raises(errors.Busy):
            await job
        await asyncio.gather(waiting, return_exceptions=True)
        with pytest.raises(errors.Busy):
            await works(room, photo)


async def test_a_child_that_comes_up_after_the_close_does_not_stay(photo: Path) -> None:
    async with open_darkroom() as room:
        job = asyncio.create_task(works(room, photo))
        await asyncio.sleep(0.01)
        await room.close()
        with pytest.raises(errors.Busy):
            await job
        assert not pids(room)


async def test_no_room_for_an_open_file_is_no_photo_s_fault(
    darkroom: Darkroom, photo: Path
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with photo.open("rb") as file:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
        try:
            with pytest.raises(errors.Busy):
                await darkroom.inspect(file)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert await works(darkroom, photo)


async def test_a_machine_that_can_start_no_process_is_no_photo_s_fault(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_darkroom() as room:
        with monkeypatch.context() as context:
            context.setattr(sys, "executable", "/nonexistent/python")
            with pytest.raises(errors.EngineError):
                await room.start()
            with pytest.raises(errors.Busy):
                await works(room, photo)
        assert await works(room, photo)


def test_the_darkroom_works_on_the_event_loop_of_the_server(photo: Path) -> None:
    async def visit() -> bool:
        async with open_darkroom() as room:
            await room.start()
            return await works(room, photo)

    assert asyncio.run(visit())
    assert uvloop.run(visit())

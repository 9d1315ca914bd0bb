"""The darkroom: what happens to photos when decoders fail."""

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

from safelight import errors
from safelight.darkroom import decoders
from safelight.darkroom.pool import Darkroom
from support import pictures
from support.counts import count_of
from support.darkrooms import (
    OWNER,
    inspect,
    misbehave,
    misbehave_in_inspection,
    open_darkroom,
    pids,
    runs,
    status_of,
    works,
)

GIB = 1 << 30


@pytest_asyncio.fixture(loop_scope="session")
async def darkroom() -> AsyncIterator[Darkroom]:
    async with open_darkroom(decode_memory=GIB // 2) as room:
        await room.start()
        yield room


async def test_file_position_is_not_moved(darkroom: Darkroom, photo: Path) -> None:
    with photo.open("rb") as file:
        file.seek(17)
        await darkroom.inspect(file, owner=OWNER)
        assert file.tell() == 17


async def test_unnamed_file_is_read(darkroom: Darkroom) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(pictures.webp())
        file.flush()
        assert (await darkroom.inspect(file.fileno(), owner=OWNER)).facts.format == "webp"


@pytest.mark.parametrize("fault", ["crash", "exhaust memory", "exit", "flood"])
async def test_photo_that_crashes_its_decoder_is_refused(
    darkroom: Darkroom, photo: Path, fault: str
) -> None:
    with pytest.raises(errors.CorruptImage):
        await misbehave_in_inspection(darkroom, fault)
    assert await works(darkroom, photo)


async def test_endless_decode_is_killed_at_the_deadline(photo: Path) -> None:
    async with open_darkroom() as room:
        assert await works(room, photo)
        before = pids(room)
        usual, room._deadline = room._deadline, timedelta(seconds=1)
        began = time.monotonic()
        with pytest.raises(errors.CorruptImage, match="too long"):
            await misbehave(room, "hang")
        assert time.monotonic() - began >= 1
        room._deadline = usual
        assert not pids(room) & before
        assert await works(room, photo)


async def test_decode_starved_by_other_processes_is_busy(
    photo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Within 0.1 s, the decoder can't have used the minutes of CPU time that it is allowed."""
    async with open_darkroom(decode_seconds=240) as room:
        assert await works(room, photo)
        before = pids(room)
        room._deadline = timedelta(seconds=0.1)
        with pytest.raises(errors.Busy):
            await misbehave(room, "spin")
        assert "other processes" in caplog.text
        assert count_of(room.deaths) == 0
        room._deadline = timedelta(seconds=240)
        assert not pids(room) & before
        assert await works(room, photo)


async def test_photo_whose_decoder_is_killed_twice_is_refused(
    darkroom: Darkroom, photo: Path
) -> None:
    """The photo may be the reason."""
    job, killed = asyncio.create_task(misbehave(darkroom, "hang")), set[int]()
    for _ in range(2):
        while not (job.done() or (pids(darkroom) - killed and not darkroom.decoders.idle)):  # noqa: ASYNC110  a process has no event
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        (pid,) = pids(darkroom)
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
    with pytest.raises(errors.CorruptImage):
        await job
    assert await works(darkroom, photo)


async def test_photo_whose_decoder_is_killed_once_is_decoded_by_another(
    darkroom: Darkroom,
) -> None:
    """This once refused a good photo as damaged, and ended the job of its renditions."""
    picture = pictures.jpeg(6000, 4000, progressive=True)  # decoding takes long enough to kill it
    job = asyncio.create_task(inspect(darkroom, picture))
    before = pids(darkroom).pop()
    while not (job.done() or _is_running(before)):  # noqa: ASYNC110  a process has no event
        await asyncio.sleep(0.001)
    os.kill(before, signal.SIGKILL)
    assert (await job).facts.width == 6000
    assert (await inspect(darkroom, picture)).facts.width == 6000
    assert before not in pids(darkroom)


def _is_running(pid: int) -> bool:
    return "State:\tR" in status_of(pid)


async def test_decoder_killed_between_two_photos_is_replaced(
    darkroom: Darkroom, photo: Path
) -> None:
    for wait in (0.0, 0.2):
        assert await works(darkroom, photo)
        os.kill(pids(darkroom).pop(), signal.SIGKILL)
        await asyncio.sleep(wait)
        assert await works(darkroom, photo)


async def test_all_decoders_killed_between_two_photos_are_replaced(photo: Path) -> None:
    async with open_darkroom(children=3) as room:
        assert all(await asyncio.gather(*(works(room, photo) for _ in range(3))))
        killed = pids(room)
        assert len(killed) == 3
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.3)
        assert await works(room, photo)


async def test_decoder_survives_a_refused_photo(
    darkroom: Darkroom, photo: Path, tmp_path: Path
) -> None:
    before = pids(darkroom)
    broken = tmp_path / "half.jpg"
    broken.write_bytes(pictures.truncate(pictures.jpeg(), 50))
    with pytest.raises(errors.CorruptImage):
        await works(darkroom, broken)
    with pytest.raises(errors.CorruptImage):
        await misbehave_in_inspection(darkroom, "exhaust memory")  # The decoder survives that, too.
    assert await works(darkroom, photo)
    assert pids(darkroom) == before


async def test_cancelled_decode_frees_its_slot(darkroom: Darkroom, photo: Path) -> None:
    (before,) = pids(darkroom)
    for _ in range(3):
        job = asyncio.create_task(misbehave(darkroom, "hang"))
        await asyncio.sleep(0.3)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
    assert await works(darkroom, photo)
    await asyncio.gather(*darkroom.decoders.endings)
    assert not runs(before)
    assert len(pids(darkroom)) == 1


async def _wait_for(room: Darkroom, *, waiting: int) -> None:
    """Wait until one job is running, and `waiting` others wait."""
    async with asyncio.timeout(120):
        while (room.queue.working, room.queue.waiting) != (1, waiting):  # noqa: ASYNC110  the queue has no event
            await asyncio.sleep(0.01)


async def test_job_cancelled_in_the_queue_takes_no_slot(darkroom: Darkroom, photo: Path) -> None:
    first = asyncio.create_task(misbehave(darkroom, "hang"))
    await _wait_for(darkroom, waiting=0)
    second = asyncio.create_task(works(darkroom, photo))
    third = asyncio.create_task(works(darkroom, photo))
    await _wait_for(darkroom, waiting=2)
    second.cancel()
    await asyncio.sleep(0)
    first.cancel()
    assert await third
    assert darkroom.queue.waiting == 0


async def test_job_beyond_the_queue_is_busy_with_retry_after(photo: Path) -> None:
    async with open_darkroom(max_waiting=2) as room:
        jobs = [asyncio.create_task(misbehave(room, "hang"))]
        jobs += [asyncio.create_task(works(room, photo)) for _ in range(2)]
        await _wait_for(room, waiting=2)
        with pytest.raises(errors.Busy) as refusal:
            await works(room, photo)
        assert timedelta(seconds=1) <= refusal.value.retry_after <= timedelta(seconds=300)
        jobs[0].cancel()
        assert all(await asyncio.gather(*jobs[1:]))
        assert await works(room, photo)


async def test_photos_are_decoded_concurrently_up_to_the_limit(photo: Path) -> None:
    async with open_darkroom(children=2) as room:
        assert all(await asyncio.gather(*(works(room, photo) for _ in range(20))))
        assert len(pids(room)) == 2


async def test_decoder_ends_after_its_number_of_photos(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoders, "_JOBS", 3)
    async with open_darkroom() as room:
        seen = []
        for _ in range(7):
            with photo.open("rb") as file:
                await room.inspect(file, owner=OWNER)
            seen.append(room.decoders.idle[0][0].pid if room.decoders.idle else 0)
    assert seen[0] == seen[1]
    assert seen[2] == 0
    assert seen[3] == seen[4] != seen[0]


async def test_idle_decoder_ends(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "_IDLE", timedelta(milliseconds=200))
    async with open_darkroom() as room:
        assert await works(room, photo)
        (pid,) = pids(room)
        async with asyncio.timeout(120):
            while pids(room):  # noqa: ASYNC110  a process has no event
                await asyncio.sleep(0.05)
        await asyncio.gather(*room.decoders.endings)
        assert not runs(pid)
        assert await works(room, photo)


async def test_close_ends_all_decoders(photo: Path) -> None:
    async with open_darkroom(children=2) as room:
        await room.start()
        job = asyncio.create_task(misbehave(room, "hang"))
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


async def test_decoder_that_starts_during_close_ends(photo: Path) -> None:
    async with open_darkroom() as room:
        job = asyncio.create_task(works(room, photo))
        await asyncio.sleep(0.01)
        await room.close()
        with pytest.raises(errors.Busy):
            await job
        assert not pids(room)


async def test_too_many_open_files_is_busy(darkroom: Darkroom, photo: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with photo.open("rb") as file:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
        try:
            with pytest.raises(errors.Busy):
                await darkroom.inspect(file, owner=OWNER)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert await works(darkroom, photo)


async def test_failing_process_start_is_busy(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_darkroom() as room:
        with monkeypatch.context() as context:
            context.setattr(sys, "executable", "/nonexistent/python")
            with pytest.raises(errors.EngineError):
                await room.start()
            with pytest.raises(errors.Busy):
                await works(room, photo)
        assert await works(room, photo)


def test_darkroom_works_on_uvloop(photo: Path) -> None:
    async def visit() -> bool:
        async with open_darkroom() as room:
            await room.start()
            return await works(room, photo)

    assert asyncio.run(visit())
    assert uvloop.run(visit())

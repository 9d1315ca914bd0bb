"""The darkroom's processes: what they may not do, and what becomes of the photos when they die."""

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvloop

import pictures
from safelight import errors
from safelight.darkroom import messages, pool
from safelight.darkroom.capacity import Capacity
from safelight.darkroom.pool import Darkroom
from safelight.darkroom.queue import Queue
from safelight.darkroom.worker import Died
from safelight.formats import JPEG
from safelight.settings import LimitSettings

GIB = 1 << 30


@asynccontextmanager
async def open_darkroom(*, children: int = 1, **limits: object) -> AsyncIterator[Darkroom]:
    room = Darkroom(LimitSettings.model_validate(limits), children=children, drill=True)
    try:
        yield room
    finally:
        await room.close()


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


async def works(darkroom: Darkroom, photo: Path) -> bool:
    with photo.open("rb") as file:
        return (await darkroom.inspect(file)).facts.width == 256


async def drill(darkroom: Darkroom, act: str) -> Any:  # noqa: ANN401, whatever it finds
    request = json.dumps({"duty": "drill", "act": act}).encode()
    return await darkroom._ask(request, None, lambda answer: json.loads(answer)["drill"])


def pids(darkroom: Darkroom) -> set[int]:
    return {worker.pid for worker in darkroom._workers}


def status_of(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


def runs(pid: int) -> bool:
    """Whether the process is there, and not merely unburied."""
    try:
        return "State:\tZ" not in status_of(pid)
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_child_has_no_secrets_and_no_files_of_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SAFELIGHT_TOKEN", "a-secret-of-the-server")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    held = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(held, True)  # noqa: FBT003, it takes no name
    try:
        async with open_darkroom() as room:
            found = await drill(room, "confess")
    finally:
        os.close(held)
    assert set(found["environment"]) <= {
        "LC_ALL",
        "LD_LIBRARY_PATH",
        "MALLOC_ARENA_MAX",
        "TMPDIR",
        "VIPS_CONCURRENCY",
        "VIPS_DISC_THRESHOLD",
    }
    assert found["descriptors"] == [0, 1, 2]


async def test_a_child_can_do_nothing_but_decode(darkroom: Darkroom) -> None:
    attempts = (await drill(darkroom, "confess"))["attempts"]
    assert len(attempts) == 8
    assert set(attempts.values()) == {"ENOSYS"}


async def test_a_child_has_its_limits_and_no_rights(darkroom: Darkroom) -> None:
    found = await drill(darkroom, "confess")
    space = darkroom.limits.address_space
    assert found["limits"] == {
        "AS": [space, space],
        "CORE": [0, 0],
        "FSIZE": [0, 0],
        "NOFILE": [32, 32],
    }
    assert found["uid"] != 0
    status = status_of(pids(darkroom).pop())
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "CapEff:\t0000000000000000" in status


async def test_a_child_yields_to_the_server_and_shares_no_terminal_with_it(
    darkroom: Darkroom,
) -> None:
    (pid,) = pids(darkroom)
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)
    assert os.getsid(pid) != os.getsid(0)


async def test_a_picture_is_handed_over_for_reading_only(darkroom: Darkroom, photo: Path) -> None:
    with photo.open("r+b") as file, pool._read_only(file.fileno()) as descriptor:
        assert os.read(descriptor, 2) == b"\xff\xd8"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(descriptor, b"!")


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
        await darkroom._ask(
            json.dumps({"duty": "drill", "act": act}).encode(),
            None,
            lambda answer: messages.read_inspection(answer, JPEG, darkroom.limits),
        )
    assert await works(darkroom, photo)


async def test_a_decode_that_never_ends_is_killed_at_the_deadline(photo: Path) -> None:
    async with open_darkroom(decode_seconds=1) as room:
        for act in ("hang", "spin"):
            assert await works(room, photo)
            before = pids(room)
            began = time.monotonic()
            with pytest.raises(errors.CorruptImage, match="too long"):
                await drill(room, act)
            assert 1 <= time.monotonic() - began < 3
            assert not pids(room) & before
        assert await works(room, photo)


async def test_cpu_time_is_limited_by_the_kernel_too(photo: Path) -> None:
    async with open_darkroom(decode_seconds=1) as room:
        room._deadline = timedelta(seconds=60)
        assert await works(room, photo)  # This sets the limit for the job after it as well.
        with pytest.raises(errors.CorruptImage, match="too long") as refusal:
            await drill(room, "spin")
        assert isinstance(refusal.value.__cause__, Died)
        assert refusal.value.__cause__.status == -signal.SIGXCPU


async def test_a_child_killed_in_the_middle_of_a_picture_is_replaced(
    darkroom: Darkroom, photo: Path
) -> None:
    job = asyncio.create_task(drill(darkroom, "hang"))
    await asyncio.sleep(0.3)
    os.kill(pids(darkroom).pop(), signal.SIGKILL)
    with pytest.raises(errors.CorruptImage):
        await job
    assert await works(darkroom, photo)


async def test_a_child_killed_between_two_pictures_is_blamed_on_neither(
    darkroom: Darkroom, photo: Path
) -> None:
    for wait in (0.0, 0.2):
        assert await works(darkroom, photo)
        os.kill(pids(darkroom).pop(), signal.SIGKILL)
        await asyncio.sleep(wait)
        assert await works(darkroom, photo)


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


async def test_one_who_leaves_the_queue_takes_no_place(darkroom: Darkroom, photo: Path) -> None:
    first = asyncio.create_task(drill(darkroom, "hang"))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(works(darkroom, photo))
    third = asyncio.create_task(works(darkroom, photo))
    await asyncio.sleep(0.1)
    assert darkroom._queue.waiting == 2
    second.cancel()
    await asyncio.sleep(0)
    first.cancel()
    assert await third
    assert darkroom._queue.waiting == 0


async def test_when_too_many_wait_the_next_is_told_when_to_come_back(photo: Path) -> None:
    async with open_darkroom(max_waiting=2) as room:
        jobs = [asyncio.create_task(drill(room, "hang"))]
        jobs += [asyncio.create_task(works(room, photo)) for _ in range(2)]
        await asyncio.sleep(0.1)
        with pytest.raises(errors.Busy) as refusal:
            await works(room, photo)
        assert timedelta(seconds=1) <= refusal.value.retry_after <= timedelta(seconds=300)
        jobs[0].cancel()
        assert all(await asyncio.gather(*jobs[1:]))
        assert await works(room, photo)


async def test_the_longer_the_queue_and_the_jobs_the_later_to_come_back() -> None:
    queue = Queue(servers=2, max_waiting=100)
    queue._average, queue.waiting = 1.0, 4
    assert queue.patience() == timedelta(seconds=3)
    queue._average, queue.waiting = 0.01, 0
    assert queue.patience() == timedelta(seconds=1)
    queue._average, queue.waiting = 20.0, 256
    assert queue.patience() == timedelta(seconds=300)


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
        await asyncio.sleep(0.5)
        assert not pids(room)
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
        began = time.monotonic()
        await room.close()
        assert not any(map(runs, running))
        with pytest.raises(errors.Busy):
            await job
        await asyncio.gather(waiting, return_exceptions=True)
        assert time.monotonic() - began < 3
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


async def test_a_child_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "spell_limits", lambda _: "{}")
    async with open_darkroom() as room:
        with pytest.raises(errors.EngineError, match="max_pixels"):
            await room.start()


def test_the_darkroom_works_on_the_event_loop_of_the_server(photo: Path) -> None:
    async def visit() -> bool:
        async with open_darkroom() as room:
            await room.start()
            return await works(room, photo)

    assert asyncio.run(visit())
    assert uvloop.run(visit())


def test_children_die_with_a_server_that_is_killed(photo: Path) -> None:
    program = (
        "import asyncio, json\n"
        "from safelight.darkroom.pool import Darkroom\n"
        "from safelight.settings import LimitSettings\n"
        "async def main():\n"
        "    room = Darkroom(LimitSettings(), children=1, drill=True)\n"
        "    await room.start()\n"
        "    print(*(worker.pid for worker in room._workers), flush=True)\n"
        '    await room._ask(b\'{"duty": "drill", "act": "hang"}\', None, json.loads)\n'
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        child = int(server.stdout.readline())
        time.sleep(0.3)
        assert runs(child)
        server.kill()
    deadline = time.monotonic() + 5
    while runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not runs(child)


def test_a_child_loads_no_more_than_it_needs() -> None:
    program = "import sys, safelight.darkroom.child, safelight.darkroom.duties; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "pyvips" in loaded
    assert not loaded & {"asyncio", "pydantic", "msgspec", "sqlalchemy", "fastapi", "obstore"}


def test_the_server_loads_no_decoder() -> None:
    program = "import sys, safelight.darkroom.pool; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    assert "safelight.inspection.limits" in done.stdout.split()
    assert not {"pyvips", "safelight.inspection.decoding"} & set(done.stdout.split())


FACTS = {"width": 4, "height": 3, "frames": 1, "taken_at": None, "offset_minutes": None}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        {"facts": FACTS | {"width": 0}},
        {"facts": FACTS | {"width": "4"}},
        {"facts": FACTS | {"width": 2**31}},
        {"facts": FACTS | {"width": 120_000_001, "height": 1}},
        {"facts": FACTS | {"frames": 1_001}},
        {"facts": FACTS | {"frames": 0}},
        {"facts": FACTS | {"taken_at": "soon"}},
        {"facts": FACTS | {"taken_at": "2020-01-01T00:00:00+01:00"}},
        {"facts": FACTS | {"offset_minutes": 10_000}},
        {"facts": FACTS | {"format": "svg"}},
        {"facts": FACTS, "sha256": "A" * 64},
        {"facts": FACTS, "sha256": "a" * 64 + "\n"},
        {"refusal": {"code": "error", "message": "?"}},
        {"refusal": {"code": "corrupt_image", "message": "caf\u00e9"}},
        {"refusal": {"code": "corrupt_image", "message": "two\nlines"}},
        {"refusal": {"code": "corrupt_image", "message": "x" * 201}},
    ],
)
def test_a_child_s_word_is_not_taken_for_more_than_it_can_say(
    answer: bytes | dict[str, object],
) -> None:
    message = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    limits = Darkroom(LimitSettings()).limits
    with pytest.raises(messages.BadAnswer):
        messages.read_inspection(message, JPEG, limits)


@pytest.mark.parametrize(
    ("cores", "memory", "expected"),
    [
        (8, 64 * GIB, Capacity(children=8, address_space=3 * GIB)),
        (8, 7 * GIB, Capacity(children=2, address_space=3 * GIB)),
        (8, 2 * GIB, Capacity(children=1, address_space=2 * GIB)),
        (1, 64 * GIB, Capacity(children=1, address_space=3 * GIB)),
    ],
)
def test_as_many_children_as_cores_and_memory_allow(
    cores: int, memory: int, expected: Capacity
) -> None:
    assert Capacity.of(cores=cores, memory=memory, decode_memory=3 * GIB) == expected


def test_this_machine_has_room_for_a_child() -> None:
    here = Capacity.here(256 << 20)
    assert here.children >= 1
    assert here.address_space <= 256 << 20


async def test_a_child_of_the_least_memory_allowed_decodes(photo: Path) -> None:
    async with open_darkroom(decode_memory=256 << 20) as room:
        assert await works(room, photo)

"""The darkroom's children: what they have, what they may not do, and how they end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

import pictures
from darkrooms import drill, open_darkroom, pids, runs, session_niceness, status_of, works
from safelight import errors
from safelight.darkroom import messages, pool
from safelight.darkroom.pool import Darkroom
from safelight.darkroom.worker import Died

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
    niceness = min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)
    assert os.getpriority(os.PRIO_PROCESS, pid) == niceness
    assert os.getsid(pid) != os.getsid(0)
    assert session_niceness(pid) in {niceness, None}


async def test_a_picture_is_handed_over_for_reading_only(darkroom: Darkroom, photo: Path) -> None:
    with photo.open("r+b") as file, pool._read_only(file.fileno()) as descriptor:
        assert os.read(descriptor, 2) == b"\xff\xd8"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(descriptor, b"!")


async def test_a_child_holds_on_to_no_picture(darkroom: Darkroom, photo: Path) -> None:
    for _ in range(5):
        assert await works(darkroom, photo)
    assert (await drill(darkroom, "confess"))["descriptors"] == [0, 1, 2]


async def test_cpu_time_is_limited_by_the_kernel_too(photo: Path) -> None:
    async with open_darkroom(decode_seconds=1) as room:
        room._deadline = timedelta(seconds=60)
        assert await works(room, photo)  # This sets the limit for the job after it as well.
        with pytest.raises(errors.CorruptImage, match="too long") as refusal:
            await drill(room, "spin")
        assert isinstance(refusal.value.__cause__, Died)
        assert refusal.value.__cause__.status == -signal.SIGXCPU


async def test_a_child_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "spell_limits", lambda _: "{}")
    async with open_darkroom() as room:
        with pytest.raises(errors.EngineError, match="max_pixels"):
            await room.start()


def test_children_die_with_a_server_that_is_killed(photo: Path) -> None:
    program = (
        "import asyncio, json\n"
        "from safelight.darkroom.pool import Darkroom\n"
        "from safelight.settings import LimitSettings\n"
        "async def main():\n"
        "    room = Darkroom(LimitSettings(), children=1, drill=True)\n"
        "    await room.start()\n"
        "    print(*(worker.pid for worker in room._workers), flush=True)\n"
        '    await room._ask(b\'{"duty": "drill", "act": "hang"}\', [], json.loads)\n'
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        child = int(server.stdout.readline())
        time.sleep(0.3)
        assert runs(child)
        server.kill()
    deadline = time.monotonic() + 30
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


async def test_a_child_of_the_least_memory_allowed_decodes(photo: Path) -> None:
    async with open_darkroom(decode_memory=256 << 20) as room:
        assert await works(room, photo)

"""Decoder processes: their confinement, limits, and end."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from safelight import errors
from safelight.darkroom import pool, protocol
from safelight.darkroom.pool import Darkroom
from safelight.darkroom.process import DecoderDied
from safelight.settings import LimitSettings
from safelight.tracing import in_background
from support.darkrooms import (
    FAULTY,
    misbehave,
    open_darkroom,
    pids,
    runs,
    session_niceness,
    status_of,
    works,
)
from support.pictures import photographs

GIB = 1 << 30


@pytest_asyncio.fixture(loop_scope="session")
async def darkroom() -> AsyncIterator[Darkroom]:
    async with open_darkroom(decode_memory=GIB // 2) as room:
        await room.start()
        yield room


async def test_decoder_inherits_no_secrets_and_no_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SAFELIGHT_TOKEN", "a-secret-of-the-server")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(descriptor, True)  # noqa: FBT003, it takes no name
    try:
        async with open_darkroom() as room:
            found = await misbehave(room, "report")
    finally:
        os.close(descriptor)
    assert set(found["environment"]) <= {
        "LC_ALL",
        "LD_LIBRARY_PATH",
        "MALLOC_ARENA_MAX",
        "TMPDIR",
        "VIPS_CONCURRENCY",
        "VIPS_DISC_THRESHOLD",
        "VIPS_MAX_THREADS",
    }
    assert found["descriptors"] == [0, 1, 2]


def proc(pid: int, name: str) -> Path:
    return Path("/proc", str(pid), name)


async def test_forbidden_system_calls_fail(darkroom: Darkroom) -> None:
    attempts = (await misbehave(darkroom, "report"))["attempts"]
    assert len(attempts) == 19
    assert {name: how for name, how in attempts.items() if how != "ENOSYS"} == {
        "start a thread": "can't start new thread"
    }


async def test_decoder_starts_no_thread_after_the_start(darkroom: Darkroom, photo: Path) -> None:
    """libvips would start one for most jobs, and end it when it is idle."""
    (pid,) = pids(darkroom)
    threads = re.findall(r"Threads:\t\d+", status_of(pid))
    assert threads == ["Threads:\t5"]
    for _ in range(3):
        assert await works(darkroom, photo)
    assert re.findall(r"Threads:\t\d+", status_of(pid)) == threads


async def test_decoder_is_ended_first_when_memory_is_short(darkroom: Darkroom) -> None:
    (pid,) = pids(darkroom)
    assert proc(pid, "oom_score_adj").read_text().strip() == "1000"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its root")
async def test_root_of_a_decoder_is_an_empty_directory(darkroom: Darkroom) -> None:
    (pid,) = pids(darkroom)
    assert list(proc(pid, "root").iterdir()) == []
    assert proc(pid, "root").readlink().name.endswith(" (deleted)")


def test_landlock_forbids_to_change_files_and_signal_others(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from safelight.darkroom.child import confinement\n"
        "confinement.forbid_new_privileges()\n"
        "version = confinement.restrict_by_landlock()\n"
        "open(sys.argv[1]).close()\n"
        "refused = []\n"
        "for attempt in (lambda: open(sys.argv[1], 'w'), lambda: os.unlink(sys.argv[1]),\n"
        "                lambda: os.kill(os.getppid(), 0)):\n"
        "    try:\n"
        "        attempt()\n"
        "        refused.append(False)\n"
        "    except PermissionError:\n"
        "        refused.append(True)\n"
        "print(version, *refused)\n"
    )
    file = tmp_path / "file"
    file.touch()
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, file], capture_output=True, text=True, check=True
    )
    version, *refused = done.stdout.split()
    expected = {"0": ["False"] * 3}.get(version, ["True", "True", str(int(version) >= 6)])
    assert refused == expected


async def test_decoder_that_cannot_be_confined_is_refused_if_required(
    photo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "unconfined.py"
    program.write_text(
        "from safelight.darkroom.child import __main__, seccomp\n"
        "seccomp.install_filter = lambda **_: False\n"
        "__main__.main()\n"
    )
    room = Darkroom(LimitSettings(), children=1, program=[str(program)])
    await room.start()
    assert await works(room, photo, "a")
    assert await works(room, photo, "b")
    assert caplog.text.count("system calls can't be filtered") == 1
    await room.close()
    strict = Darkroom(LimitSettings(), children=1, program=[str(program)], require_confinement=True)
    with pytest.raises(errors.EngineError, match="system calls can't be filtered"):
        await strict.start()
    await strict.close()


async def test_sample_that_cannot_be_decoded_when_confined_is_reported(tmp_path: Path) -> None:
    program = tmp_path / "strict.py"
    program.write_text(
        "from safelight.darkroom.child import __main__, confinement\n"
        "confinement.limit_resources = lambda _: setattr(\n"
        "    __import__('safelight.imaging.heic', fromlist=['open_heic']), 'open_heic', None)\n"
        "__main__.main()\n"
    )
    room = Darkroom(LimitSettings(), children=1, program=[str(program)])
    with pytest.raises(errors.EngineError, match="can't decode heic"):
        await room.start()
    await room.close()


async def test_heic_without_its_extra_is_refused_when_confined(tmp_path: Path) -> None:
    program, photo = tmp_path / "without_extra.py", tmp_path / "photo.heic"
    program.write_text(
        "import os, sys\n"
        "from safelight.darkroom.child import __main__\n"
        "class Hidden:\n"
        "    template = os.getpid()\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'pillow_heif' and os.getpid() == self.template:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "__main__.main()\n"
    )
    photo.write_bytes(photographs()["heic"])
    room = Darkroom(LimitSettings(), children=1, program=[str(program)])
    await room.start()
    with pytest.raises(errors.UnsupportedType, match=r"safelight\[heic\]"):
        await works(room, photo)
    await room.close()


async def test_decoder_has_limits_and_no_privileges(darkroom: Darkroom) -> None:
    found = await misbehave(darkroom, "report")
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


async def test_decoder_of_a_client_has_a_usual_priority_and_its_own_session(
    darkroom: Darkroom,
) -> None:
    (pid,) = pids(darkroom)
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0)
    assert os.sched_getscheduler(pid) == os.SCHED_BATCH
    assert os.getsid(pid) == pid
    assert session_niceness(pid) in {0, None}


async def test_decoder_in_the_background_has_a_low_priority(
    darkroom: Darkroom, photo: Path
) -> None:
    (client,) = pids(darkroom)
    in_background.set(True)
    assert await works(darkroom, photo)
    (pid,) = pids(darkroom) - {client}
    niceness = min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)
    assert os.getpriority(os.PRIO_PROCESS, pid) == niceness
    assert os.getsid(pid) == pid
    assert session_niceness(pid) in {niceness, None}


async def test_decoder_never_changes_its_priority(darkroom: Darkroom, photo: Path) -> None:
    kinds = dict[int, set[int]]()
    for background in (False, True, False, True):
        in_background.set(background)
        assert await works(darkroom, photo)
        for pid in pids(darkroom):
            kinds.setdefault(pid, set()).add(os.getpriority(os.PRIO_PROCESS, pid))
    assert [len(found) for found in kinds.values()] == [1, 1]


async def test_photo_descriptor_is_read_only(darkroom: Darkroom, photo: Path) -> None:
    with photo.open("r+b") as file, pool.open_read_only(file.fileno()) as descriptor:
        assert os.read(descriptor, 2) == b"\xff\xd8"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(descriptor, b"!")


async def test_decoder_closes_descriptors(darkroom: Darkroom, photo: Path) -> None:
    for _ in range(5):
        assert await works(darkroom, photo)
    assert (await misbehave(darkroom, "report"))["descriptors"] == [0, 1, 2]


async def test_kernel_limits_cpu_time(photo: Path) -> None:
    async with open_darkroom(decode_seconds=1) as room:
        room._deadline = timedelta(seconds=240)
        assert await works(room, photo)  # This also sets the limit for the next job.
        with pytest.raises(errors.CorruptImage, match="too long") as refusal:
            await misbehave(room, "spin")
        assert isinstance(refusal.value.__cause__, DecoderDied)
        assert refusal.value.__cause__.status == -signal.SIGXCPU


async def test_failed_start_reports_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "encode_limits", lambda _: "{}")
    async with open_darkroom() as room:
        with pytest.raises(errors.EngineError, match="max_pixels"):
            await room.start()


def test_decoders_die_with_a_killed_server(photo: Path) -> None:
    program = (
        "import asyncio, json\n"
        "from safelight.darkroom.pool import Darkroom\n"
        "from safelight.settings import LimitSettings\n"
        "async def main():\n"
        f"    room = Darkroom(LimitSettings(), children=1, program={FAULTY!r})\n"
        "    await room.start()\n"
        "    print(*(decoder.pid for decoder in room.decoders.running), flush=True)\n"
        '    request = b\'{"operation": "misbehave", "fault": "hang"}\'\n'
        '    await room._run(request, [], json.loads, owner="o")\n'
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        child = int(server.stdout.readline())
        time.sleep(0.3)
        assert runs(child)
        server.kill()
    deadline = time.monotonic() + 120
    while runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not runs(child)


def test_decoder_imports_only_what_it_needs() -> None:
    program = (
        "import sys, safelight.darkroom.child.__main__, safelight.darkroom.child.handlers\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "pyvips" in loaded
    assert not loaded & {"asyncio", "pydantic", "msgspec", "sqlalchemy", "fastapi", "obstore"}


def test_server_does_not_import_the_decoder() -> None:
    program = "import sys, safelight.darkroom.pool; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    assert "safelight.imaging.limits" in done.stdout.split()
    assert not {"pyvips", "safelight.imaging.decode"} & set(done.stdout.split())


async def test_decoder_works_with_minimum_memory(photo: Path) -> None:
    async with open_darkroom(decode_memory=256 << 20) as room:
        assert await works(room, photo)

"""A decoder sees the photos of one owner; decoders are forked from a template that sees none."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from safelight import errors
from safelight.darkroom import decoders
from safelight.darkroom.pool import Darkroom
from safelight.darkroom.template import DecoderTemplate
from safelight.imaging import presets
from safelight.settings import RenditionSettings
from support import pictures
from support.darkrooms import inspect, misbehave, open_darkroom, pids, runs, status_of, works

PRESETS = presets.build_presets(RenditionSettings())[:1]


@pytest_asyncio.fixture(loop_scope="session")
async def darkroom() -> AsyncIterator[Darkroom]:
    async with open_darkroom() as room:
        await room.start()
        yield room


def template_pid(room: Darkroom) -> int:
    assert room.decoders.template
    return room.decoders.template.pid


async def test_decoder_sees_one_owner(darkroom: Darkroom, photo: Path) -> None:
    assert await works(darkroom, photo, "a")
    (first,) = pids(darkroom)
    assert await works(darkroom, photo, "a")
    assert pids(darkroom) == {first}
    assert await works(darkroom, photo, "b")
    (second,) = pids(darkroom)
    assert second != first
    await asyncio.gather(*darkroom.decoders.endings)
    assert not runs(first)


async def test_owners_keep_their_decoders_while_there_is_room(photo: Path) -> None:
    async with open_darkroom(children=2) as room:
        for owner in "abab":
            assert await works(room, photo, owner)
        seen = pids(room)
        assert len(seen) == 2
        assert await works(room, photo, "c")
        assert len(pids(room) & seen) == 1


async def test_photo_is_inspected_and_rendered_by_one_decoder(
    darkroom: Darkroom, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if other owners wait, whose photos would replace the decoder in between."""
    forks, fork = [], DecoderTemplate.fork

    async def count(template: DecoderTemplate, **options: Any) -> object:
        forks.append(template)
        return await fork(template, **options)

    async def add(owner: str) -> None:
        with photo.open("rb") as file:
            facts = (await darkroom.inspect(file, owner=owner)).facts
            await darkroom.render(file, facts, PRESETS, owner=owner)

    monkeypatch.setattr(DecoderTemplate, "fork", count)
    await asyncio.gather(*map(add, "abcd"))
    assert len(forks) == 3  # the first owner gets the existing decoder


async def test_template_has_one_thread_and_forks_all_decoders(
    darkroom: Darkroom, photo: Path
) -> None:
    for owner in "ab":
        assert await works(darkroom, photo, owner)
    template = template_pid(darkroom)
    assert "Threads:\t1\n" in status_of(template)
    assert f"PPid:\t{template}\n" in status_of(pids(darkroom).pop())
    assert f"PPid:\t{os.getpid()}\n" in status_of(template)


async def test_dead_template_is_replaced(darkroom: Darkroom, photo: Path) -> None:
    assert await works(darkroom, photo)
    (decoder,), template = pids(darkroom), template_pid(darkroom)
    os.kill(template, signal.SIGKILL)
    async with asyncio.timeout(120):
        while runs(decoder) or runs(template):  # noqa: ASYNC110  a process has no event
            await asyncio.sleep(0.01)
    assert await works(darkroom, photo)
    assert template_pid(darkroom) != template


async def test_photo_whose_template_is_killed_is_decoded_by_another(darkroom: Darkroom) -> None:
    picture = pictures.jpeg(6000, 4000, progressive=True)
    job = asyncio.create_task(inspect(darkroom, picture))
    (decoder,) = pids(darkroom)
    while not job.done() and "State:\tR" not in status_of(decoder):  # noqa: ASYNC110  a process has no event
        await asyncio.sleep(0.001)
    os.kill(template_pid(darkroom), signal.SIGKILL)
    assert (await job).facts.width == 6000


async def test_crash_changes_the_layout_of_memory(darkroom: Darkroom, photo: Path) -> None:
    """A template's decoders share its addresses, which repeated crashes could find out."""
    template = template_pid(darkroom)
    with pytest.raises(errors.CorruptImage):
        await misbehave(darkroom, "crash")
    assert await works(darkroom, photo)
    assert template_pid(darkroom) != template
    async with asyncio.timeout(120):
        while runs(template):  # noqa: ASYNC110  a process has no event
            await asyncio.sleep(0.01)


async def test_idle_template_ends(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "_IDLE", timedelta(milliseconds=100))
    async with open_darkroom() as room:
        assert await works(room, photo)
        template = template_pid(room)
        async with asyncio.timeout(120):
            while runs(template):  # noqa: ASYNC110  a process has no event
                await asyncio.sleep(0.02)
        assert await works(room, photo)


async def test_stuck_template_is_replaced(
    darkroom: Darkroom, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safelight.darkroom.channel._START_SECONDS", 0.5)
    monkeypatch.setattr("safelight.darkroom.process._END_SECONDS", 0.1)
    assert await works(darkroom, photo, "a")
    os.kill(template_pid(darkroom), signal.SIGSTOP)
    with contextlib.suppress(errors.Busy):
        assert await works(darkroom, photo, "b")
    monkeypatch.undo()
    assert await works(darkroom, photo, "b")

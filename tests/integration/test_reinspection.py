"""Originals that version 0.1 inspected are inspected again; what their owner has edited stays."""

import asyncio
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import errors, keys
from safelight.catalog.tables import photos
from safelight.imaging.presets import build_presets, digest, presets_for_size
from safelight.library import Library
from safelight.models import OWN_DATE, Caption, DateSource, Photo
from safelight.settings.delivery import RenditionSettings
from support import pictures
from support.app_server import AppServer, Site
from support.colours import cicp
from support.engine_driver import wait_until

P3_GREEN = (60, 140, 90)
SRGB_GREEN = (0, 142, 85)
"""The same colour, in Display P3 and in sRGB."""


def p3_png(size: tuple[int, int] = (400, 300)) -> bytes:
    data = pictures.save(Image.new("RGB", size, P3_GREEN), "PNG")
    end = pictures.png_chunks(data)[0][2]
    return data[:end] + cicp(12, 13) + data[end:]


@dataclass(frozen=True, slots=True)
class Old:
    """Makes photos of one owner look as if version 0.1 had stored them."""

    library: Library
    owner: str

    async def add(self, data: bytes, filename: str = "", **facts: Any) -> Photo:
        caption = Caption(title="A title", filename=filename)
        added = await self.library.add(self.owner, io.BytesIO(data), caption)
        return await self.age(added.photo, **facts)

    async def age(self, photo: Photo, **facts: Any) -> Photo:
        """Give a photo version 0.1's facts, and one rendition with its digest and other pixels."""
        ladder = build_presets(RenditionSettings())
        preset = presets_for_size(ladder, photo.facts.width, photo.facts.height)[0]
        key = keys.rendition(photo.storage_id, digest(preset))
        await self.library.backends.bucket.put(
            key, b"wrong pixels", content_type="image/webp", same_size=False
        )
        size = {"width": photo.facts.width, "height": photo.facts.height}
        rendition = {"name": preset.name, "key": key, "content_type": "image/webp", **size}
        await self.set(photo, inspection=0, renderer=1, renditions=[rendition], **facts)
        return await self.library.photo(self.owner, photo.id)

    async def set(self, photo: Photo, **values: Any) -> None:
        statement = update(photos).where(photos.c.id == photo.id).values(**values)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self.library.backends.catalog.transaction(work)

    async def reinspect(self, photo: Photo) -> Photo:
        return await self.library.reinspect(self.owner, photo.id)


@pytest.fixture
def old(app_server: AppServer, site: Site) -> Old:
    return Old(app_server.library, site.owner)


def test_photo_whose_pixels_change_is_rendered_under_new_keys(
    app_server: AppServer, old: Old
) -> None:
    async def visit() -> None:
        aged = await old.add(p3_png())
        new = await old.reinspect(aged)
        assert (new.inspection, new.facts.renderer, new.version) == (1, 2, aged.version + 1)
        assert new.facts.details.profile == "Display P3"
        assert (new.title, new.storage_id, new.sha256) == (aged.title, aged.storage_id, aged.sha256)
        assert {made.key for made in new.renditions}.isdisjoint(
            made.key for made in aged.renditions
        )
        rendition = bytearray()
        await old.library.backends.bucket.fetch(new.renditions[0].key, rendition.extend)
        shown = Image.open(io.BytesIO(rendition)).convert("RGB").getpixel((200, 150))
        assert isinstance(shown, tuple)
        assert max(abs(a - b) for a, b in zip(shown, SRGB_GREEN, strict=True)) <= 3
        assert await old.reinspect(new) == new

    app_server.do(visit())


def test_ordinary_photo_keeps_its_renditions_and_version(app_server: AppServer, old: Old) -> None:
    async def visit() -> None:
        aged = await old.add(pictures.jpeg(300, 200))
        new = await old.reinspect(aged)
        assert (new.inspection, new.version) == (1, aged.version)
        assert new.renditions == aged.renditions
        assert new.facts == aged.facts

    app_server.do(visit())


def test_gif_gets_the_size_that_browsers_show(app_server: AppServer, old: Old) -> None:
    async def visit() -> None:
        gif = bytearray(pictures.gif(50, 20))
        gif[6:8] = (40).to_bytes(2, "little")  # the canvas is narrower than the first frame
        aged = await old.add(bytes(gif), width=40)
        new = await old.reinspect(aged)
        assert (new.facts.width, new.facts.height) == (50, 20)
        assert [(made.width, made.height) for made in new.renditions] == [(50, 20)]

    app_server.do(visit())


def test_date_of_the_owner_stays_and_the_new_one_can_be_restored(
    app_server: AppServer, old: Old
) -> None:
    async def visit() -> None:
        photo = pictures.jpeg(exif=pictures.exif(taken_at="2019:05:06 07:08:09"))
        aged = await old.add(photo, taken_at=None, taken_from=None)
        mine = datetime(2001, 2, 3, 4, 5)  # noqa: DTZ001  local
        edited = await old.library.edit(old.owner, aged.id, taken_at=mine)
        new = await old.reinspect(edited)
        assert (new.facts.taken_at, new.facts.taken_from) == (mine, DateSource.USER)
        restored = await old.library.edit(old.owner, aged.id, taken_at=OWN_DATE)
        assert restored.facts.taken_at == datetime(2019, 5, 6, 7, 8, 9)  # noqa: DTZ001  local
        assert restored.facts.taken_from is DateSource.EXIF

    app_server.do(visit())


def test_date_is_found_in_the_name_and_that_of_the_file_stays(
    app_server: AppServer, old: Old
) -> None:
    async def visit() -> None:
        named = await old.add(pictures.jpeg(90, 60), "IMG_20190507_123456.jpg", taken_at=None)
        new = await old.reinspect(named)
        assert new.facts.taken_from is DateSource.FILENAME
        file = io.BytesIO(pictures.jpeg(91, 61))
        modified = datetime(2020, 1, 2, 3, 4, tzinfo=UTC)
        added = await old.library.add(old.owner, file, modified_at=modified)
        kept = await old.reinspect(await old.age(added.photo))
        assert (kept.inspection, kept.facts.taken_from) == (1, DateSource.FILE)
        assert kept.facts.taken_at == modified.replace(tzinfo=None)

    app_server.do(visit())


def test_photo_that_would_be_refused_today_stays(
    app_server: AppServer, old: Old, caplog: pytest.LogCaptureFixture
) -> None:
    async def visit() -> None:
        taken = pictures.exif(taken_at="2019:05:06 07:08:09")
        aged = await old.add(pictures.jpeg(300, 200, exif=taken))
        mine = datetime(2001, 2, 3, 4, 5)  # noqa: DTZ001  local
        aged = await old.library.edit(old.owner, aged.id, taken_at=mine)
        original = keys.original(aged.storage_id)
        await old.library.backends.bucket.delete([original])
        damaged = pictures.jpeg(300, 200)[: aged.size // 2]
        await old.library.backends.bucket.put(
            original, damaged + bytes(aged.size - len(damaged)), content_type="image/jpeg"
        )
        new = await old.reinspect(aged)
        assert (new.inspection, new.facts, new.renditions) == (1, aged.facts, aged.renditions)
        assert f"the original of photo {aged.id} would be refused" in caplog.text
        restored = await old.library.edit(old.owner, aged.id, taken_at=OWN_DATE)
        assert restored.facts.taken_from is DateSource.EXIF

    app_server.do(visit())


def test_change_during_the_inspection_is_kept(
    app_server: AppServer, old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def visit() -> None:
        aged = await old.add(p3_png((90, 60)))
        fetch = old.library.backends.bucket.fetch
        changes = [old.library.edit(old.owner, aged.id, title="Changed")]

        async def fetch_and_change(*arguments: Any, **options: Any) -> int:
            size = await fetch(*arguments, **options)
            if changes:
                await changes.pop()
            return size

        monkeypatch.setattr(old.library.backends.bucket, "fetch", fetch_and_change)
        new = await old.reinspect(aged)
        assert (new.title, new.inspection, new.facts.renderer) == ("Changed", 1, 2)

    app_server.do(visit())


def test_photo_deleted_during_the_inspection_leaves_nothing(
    app_server: AppServer, old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def visit() -> None:
        aged = await old.add(p3_png((91, 61)))
        fetch = old.library.backends.bucket.fetch

        async def fetch_and_delete(*arguments: Any, **options: Any) -> int:
            size = await fetch(*arguments, **options)
            await old.library.delete(old.owner, aged.id)
            return size

        monkeypatch.setattr(old.library.backends.bucket, "fetch", fetch_and_delete)
        with pytest.raises(errors.NotFound):
            await old.reinspect(aged)
        prefix = keys.prefix(aged.storage_id)
        pages = old.library.backends.bucket.list_objects(prefix)
        assert [page async for page in pages] == []
        with pytest.raises(errors.NotFound):
            await old.reinspect(aged)

    app_server.do(visit())


def test_jobs_inspect_all_outdated_photos_of_one_owner(
    app_server: AppServer, old: Old, client: httpx.Client
) -> None:
    async def add() -> list[int]:
        aged = await asyncio.gather(*(old.add(p3_png((60 + n, 40))) for n in range(3)))
        return [photo.id for photo in aged]

    ids = app_server.do(add())
    other = Old(app_server.library, f"{old.owner}-other")
    foreign = app_server.do(other.add(p3_png((80, 40))))
    assert client.post("/api/reinspections").json() == {"photos": 3, "next": None}

    async def are_done() -> bool:
        found = [await old.library.photo(old.owner, id_) for id_ in ids]
        return all(photo.inspection for photo in found)

    assert wait_until(lambda: app_server.do(are_done()))
    assert client.post("/api/reinspections").json() == {"photos": 0, "next": None}
    assert app_server.do(other.library.photo(other.owner, foreign.id)).inspection == 0

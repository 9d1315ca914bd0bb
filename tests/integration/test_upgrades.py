"""What earlier versions left behind goes on under this one: their rows, objects, jobs, sessions."""

import asyncio
import base64
import io
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import SecretStr

import pictures
from integration.reconciling import LOOK, found, keys_of, stored
from integration.served import settings_for
from safelight.catalog import migrations
from safelight.engines import EmbeddedEngines
from safelight.jobs import State
from safelight.library import Library
from safelight.library.sweep import Sweep
from safelight.photo import Photo
from safelight.settings import RenditionSettings
from upgrades.made import FOLDER, SESSION

DUMPS = sorted(FOLDER.glob("*.sql"))
OWNERS = {"ann": ["", "The beach"], "ben": ["Ben's"]}
"""Whose photos are in each dump, and their titles."""
OF_THEN = RenditionSettings(quality=78, effort=1)
"""Those that the dumps' renditions were made by: others would be made beside them."""


@pytest.fixture(params=DUMPS, ids=[dump.stem for dump in DUMPS])
async def upgraded(
    request: pytest.FixtureRequest,
    own_library: Library,
    own_engines: EmbeddedEngines,
    empty: str,
    tmp_path: Path,
) -> AsyncIterator[Library]:
    """A library of today, over what an earlier one left; it does the jobs too."""
    dump: Path = request.param
    _load(dump, empty)
    for key, data in _objects(dump).items():
        await own_library.parts.storage.put(key, data, content_type="image/jpeg")
    settings = settings_for(own_engines, tmp_path / "now", database_url=SecretStr(empty))
    opened = Library.from_settings(settings.model_copy(update={"renditions": OF_THEN}))
    async with opened.lifespan(None):
        yield opened


def _load(dump: Path, url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(dump.read_bytes())


def _objects(dump: Path) -> dict[str, bytes]:
    kept: dict[str, str] = json.loads(dump.with_suffix(".json").read_text())
    return {key: base64.b64decode(data) for key, data in kept.items()}


async def _photos(library: Library, owner: str) -> list[Photo]:
    page = await library.page(owner)
    return await library.photos(owner, [id_ for id_, _ in page.states])


async def test_photos_of_earlier_versions_live_on(upgraded: Library) -> None:
    listed = {owner: await _photos(upgraded, owner) for owner in OWNERS}
    assert {
        owner: sorted(each.title for each in photos) for owner, photos in listed.items()
    } == OWNERS
    async with httpx.AsyncClient() as client:
        for photo in itertools.chain(*listed.values()):
            answer = await client.get(upgraded.link(photo).url)
            assert sha256(answer.content).hexdigest() == photo.sha256
    for owner in OWNERS:
        assert (await upgraded.develop_missing(owner)).next is None
    await _until_every_job_is_done(upgraded)
    whole = [photo for owner in OWNERS for photo in await _photos(upgraded, owner)]
    assert sorted(len(photo.renditions) for photo in whole) == [1, 1, 3]
    named = {key for photo in whole for key in keys_of(photo)}
    left = await stored(upgraded) - named
    assert len(left) <= 1, "what had been deleted went by its job; the reservation stays a while"
    await Sweep(upgraded.parts.catalog, upgraded.parts.storage, clock=upgraded.now).once()
    assert await stored(upgraded) == named
    assert await found(upgraded, replace(LOOK, verify=True)) == []
    for photo in whole:
        await upgraded.delete(photo.owner, photo.id)
    assert await stored(upgraded) == set()


async def _until_every_job_is_done(library: Library) -> None:
    """The one that was waiting among them: it purges what was deleted."""
    async with asyncio.timeout(30):
        while sum((counts := await library.job_counts()).values()) > counts[State.FAILED]:  # noqa: ASYNC110  rows tell nobody
            await asyncio.sleep(0.1)
    assert counts[State.FAILED] == 0


async def test_what_was_begun_before_the_upgrade_goes_on(upgraded: Library) -> None:
    sessions = upgraded.parts.catalog.sessions
    begun = await sessions.find(SESSION, issuer="issuer", now=upgraded.now())
    assert begun is not None
    assert begun.browser == "Mosaic"
    added = await upgraded.add("ann", io.BytesIO(pictures.jpeg(50, 40)))
    assert added.photo.id > 5, "no number is used again"


def test_the_newest_schema_has_a_dump() -> None:
    """CONTRIBUTING.md says how it is made; what was released is never made again."""
    versions = Path(next(iter(migrations.__path__))) / "versions"
    newest = max(each.name[:4] for each in versions.glob("[0-9]*.py"))
    assert DUMPS[-1].stem == newest

"""Engines that are away or hang, and a full disk: a clear answer in time, and nothing half-done.

The engines here are of these tests alone: they are stopped and killed.
"""

import asyncio
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from mmap import mmap
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

import pictures
from integration.scraped import scraped
from integration.served import House, Site, house, settings_for
from integration.wire import MULTIPART, Answer, form, photo_part, wire
from processes import hung
from safelight.engines import EmbeddedEngines
from safelight.jobs import Pace, task, worker
from safelight.library.sweep import Sweep

AWAY = {"PostgreSQL": "catalog_unavailable", "SeaweedFS": "storage_unavailable"}
LIMIT = 25
"""Seconds within which an answer has to come."""


@pytest.fixture(scope="module")
def fragile(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    embedded = EmbeddedEngines(open_tmp_path / "outages", bucket="safelight")
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture(scope="module")
def shaken(fragile: EmbeddedEngines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A library with the limits as they come; its jobs pause less, so that tests needn't wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "PAUSES", (1,) * 30)
        patch.setattr(worker, "DEFAULT", Pace(polling=timedelta(seconds=1)))
        with house(settings_for(fragile, tmp_path_factory.mktemp("shaken"))) as living:
            yield living


@pytest.fixture
def site(shaken: House) -> Site:
    return shaken.site()


def hanging(engines: EmbeddedEngines, name: str) -> AbstractContextManager[None]:
    """Let an engine neither answer nor end."""
    return hung(engines.pids()[name])


@contextmanager
def dead(engines: EmbeddedEngines, name: str) -> Iterator[None]:
    """Kill an engine, and have it started again at the end, as `serve` does."""
    os.kill(engines.pids()[name], signal.SIGKILL)
    while engines._children[name].poll() is None:
        time.sleep(0.01)
    try:
        yield
    finally:
        asyncio.run(_revived(engines, name))


async def _revived(engines: EmbeddedEngines, name: str) -> None:
    before = engines.pids()[name]
    watch = asyncio.create_task(engines.supervise())
    engine = next(each for each in engines._engines() if each.title == name)
    while engines.pids()[name] == before or not await asyncio.to_thread(engine.answers):  # noqa: ASYNC110  a process tells nobody
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.2)
    watch.cancel()


Outage = Callable[[EmbeddedEngines, str], AbstractContextManager[None]]
OUTAGES: list[Outage] = [hanging, dead]


def upload(site: Site, data: bytes) -> httpx.Response:
    with site.client() as client:
        return client.post("/api/photos", files={"photo": data})


def listed(site: Site) -> list[Any]:
    with site.client() as client:
        found: list[Any] = client.get("/api/photos").json()
        return found


def settles(shaken: House, site: Site, *, ready: int) -> None:
    """Check that nothing but `ready` photos is left of what was tried, once it was swept twice.

    A write that was given up may still land after the first sweep, since the store went on with
    it; that is what the second is for, much later.
    """
    time.sleep(0.5)
    tried = {name for _, _, name in shaken.rows(site.owner)}
    shaken.do(_swept_much_later(shaken))
    rows = shaken.rows(site.owner)
    assert [status for _, status, _ in rows] == ["ready"] * ready
    assert tried & shaken.object_names() == {name for _, _, name in rows}


async def _swept_much_later(shaken: House) -> None:
    later = shaken.library.now() + timedelta(hours=3)
    parts = shaken.library.parts
    await Sweep(parts.catalog, parts.storage, clock=lambda: later).once()
    much_later = later + timedelta(hours=3)
    await Sweep(parts.catalog, parts.storage, clock=lambda: much_later).once()


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
@pytest.mark.parametrize("name", AWAY)
def test_an_engine_that_is_away_is_told_in_time_and_all_works_again_by_itself(
    fragile: EmbeddedEngines, shaken: House, site: Site, name: str, outage: Outage
) -> None:
    there = upload(site, pictures.jpeg()).json()
    doomed = upload(site, pictures.gif()).json()
    calls: dict[str, tuple[str, str, dict[str, Any]]] = {
        "upload": ("POST", "/api/photos", {"files": {"photo": pictures.png()}}),
        "readiness": ("GET", "/readyz", {}),
        "list": ("GET", "/api/photos", {}),
        "photo": ("GET", f"/api/photos/{there['id']}", {}),
        "edit": ("PATCH", f"/api/photos/{there['id']}", {"json": {"title": "x"}}),
        "deletion": ("DELETE", f"/api/photos/{doomed['id']}", {}),
        "page": ("GET", "/", {}),
        "life": ("GET", "/healthz", {}),
        "numbers": ("GET", "/metrics", {}),
    }
    with outage(fragile, name), ThreadPoolExecutor(len(calls)) as crowd:
        asked = {what: crowd.submit(_timed, site, *call) for what, call in calls.items()}
        answers = {what: answer.result() for what, answer in asked.items()}
    told = {what: answer.status_code for what, (answer, _) in answers.items()}
    if name == "PostgreSQL":
        assert told == dict.fromkeys(calls, 503) | {"life": 200, "numbers": 200}
    else:
        assert told.pop("numbers") == 200
        fine = {"list": 200, "photo": 200, "edit": 200, "deletion": 204, "page": 200, "life": 200}
        assert told == {"upload": 503, "readiness": 503} | fine
    for what, (answer, seconds) in answers.items():
        assert seconds < LIMIT, what
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) >= 1
            if what != "page":
                assert answer.json()["code"] == AWAY[name]
    _check_numbers(site, name, answers["numbers"][0].text)
    # By itself: the very next upload, without a restart of anything of ours.
    again = upload(site, pictures.webp())
    assert again.status_code == 201, again.text
    ids = [photo["id"] for photo in listed(site)]
    kept = [there["id"]] if name == "SeaweedFS" else [doomed["id"], there["id"]]
    assert ids == [again.json()["id"], *kept]
    settles(shaken, site, ready=len(ids))


def _check_numbers(site: Site, name: str, meanwhile: str) -> None:
    assert ('safelight_jobs{state="waiting"}' in meanwhile) is (name == "SeaweedFS")
    if name == "SeaweedFS":
        with site.client() as client:
            found = scraped(client)
        for verb in ("put", "head"):
            assert found.get("storage_errors_total", verb=verb) >= 1
        assert found.get("uploads_total", outcome="storage_unavailable") >= 1


def _timed(
    site: Site, method: str, path: str, options: dict[str, Any]
) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    with site.client() as client:
        return client.request(method, path, **options), time.monotonic() - began


@pytest.mark.parametrize("name", AWAY)
def test_an_engine_that_goes_away_in_the_middle_of_an_upload_leaves_nothing(
    fragile: EmbeddedEngines, shaken: House, site: Site, name: str
) -> None:
    body = form(photo_part(pictures.jpeg(800, 600)))
    with wire(site) as connection:
        connection.head(
            b"POST",
            b"/api/photos",
            b"Content-Type: " + MULTIPART,
            b"Content-Length: %d" % len(body),
        )
        connection.send(body[: len(body) // 2])
        with hanging(fragile, name):
            connection.send(body[len(body) // 2 :])
            began = time.monotonic()
            answer = connection.answer()
            assert time.monotonic() - began < LIMIT
    _unavailable(answer, AWAY[name])
    assert listed(site) == []
    settles(shaken, site, ready=0)
    assert upload(site, pictures.jpeg(800, 600)).status_code == 201


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
def test_a_catalog_that_goes_away_once_the_bytes_are_stored_leaves_nothing(
    fragile: EmbeddedEngines, shaken: House, site: Site, outage: Outage
) -> None:
    storage = shaken.library.parts.storage
    put = storage.put
    stored, broken = asyncio.Event(), asyncio.Event()

    async def put_and_break(key: str, data: mmap, **told: object) -> None:
        await put(key, data, **told)  # type: ignore[arg-type]  # handed on
        stored.set()
        await broken.wait()

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as crowd:
        patch.setattr(storage, "put", put_and_break)
        uploading = crowd.submit(upload, site, pictures.jpeg())
        shaken.do(stored.wait())
        with outage(fragile, "PostgreSQL"):
            shaken.loop.call_soon_threadsafe(broken.set)
            began = time.monotonic()
            answer = uploading.result()
            assert time.monotonic() - began < LIMIT
    assert (answer.status_code, answer.json()["code"]) == (503, "catalog_unavailable")
    assert listed(site) == []
    shaken.do(shaken.library.workings.intake.cleaned_up())
    settles(shaken, site, ready=0)
    assert upload(site, pictures.jpeg()).status_code == 201


def test_a_link_dies_with_its_photo_although_the_store_was_away_at_its_deletion(
    fragile: EmbeddedEngines, shaken: House, site: Site
) -> None:
    photo = upload(site, pictures.jpeg()).json()
    with dead(fragile, "SeaweedFS"), site.client() as client:
        assert client.delete(f"/api/photos/{photo['id']}").status_code == 204
        assert client.get("/api/photos").json() == []
    deadline = time.monotonic() + 30
    while httpx.get(photo["photo_url"]).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    settles(shaken, site, ready=0)


def test_a_full_disk_is_told_and_the_next_upload_works(shaken: House, site: Site) -> None:
    """The limit on a file's size stands in for the disk's: neither needs a special user."""
    data = pictures.noise(200_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    try:
        answer = upload(site, pictures.jpeg()[:100] + data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_full")
    assert int(answer.headers["Retry-After"]) >= 1
    assert shaken.rows(site.owner) == []
    assert shaken.library.spool._left == shaken.settings.limits.max_spooled_bytes
    assert upload(site, pictures.jpeg()).status_code == 201


def test_a_full_disk_under_the_catalog_is_told_and_reading_goes_on(
    fragile: EmbeddedEngines, shaken: House, site: Site
) -> None:
    """A trigger says what PostgreSQL says when it can't make a table's file longer."""
    there = upload(site, pictures.jpeg()).json()
    with psycopg.connect(fragile.database_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
        )
        connection.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON safelight_photos"
            " FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
        try:
            answer = upload(site, pictures.png())
            listing = listed(site)
        finally:
            connection.execute("DROP FUNCTION full_disk CASCADE")
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_full")
    assert int(answer.headers["Retry-After"]) >= 1
    assert [photo["id"] for photo in listing] == [there["id"]]
    assert httpx.get(listing[0]["photo_url"]).status_code == 200
    assert upload(site, pictures.png()).status_code == 201
    settles(shaken, site, ready=2)


def test_a_spool_that_cannot_be_written_is_told(shaken: House, site: Site) -> None:
    """Somebody has put a file where the folder was."""
    folder = shaken.settings.data_dir / "spool"
    assert upload(site, pictures.png()).status_code == 201
    folder.rmdir()
    folder.write_text("in the way")
    answer = upload(site, pictures.jpeg())
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_full")
    folder.unlink()
    assert upload(site, pictures.jpeg()).status_code == 201


def _unavailable(answer: Answer, code: str) -> None:
    assert (answer.status, answer.code) == (503, code)
    assert int(answer.headers["retry-after"]) >= 1

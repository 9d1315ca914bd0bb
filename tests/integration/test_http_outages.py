"""Unavailable engines and full disks: a clear error in time, and nothing half-done.

These tests suspend and kill their own engines.
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
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from safelight.engines import EmbeddedEngines
from safelight.jobs import WorkerTimings, task, worker
from safelight.library.sweep import Sweep
from support import determinism, pictures
from support.app_server import AppServer, Site, run_app_server, settings_for
from support.engine_data import copy_engine_data
from support.engine_driver import wait_until
from support.processes import suspended
from support.prometheus import scrape
from support.raw_http import MULTIPART, RawResponse, form, open_connection, photo_part

ERROR_CODES = {"PostgreSQL": "catalog_unavailable", "SeaweedFS": "storage_unavailable"}
LIMIT = 60
"""Seconds within which a response must arrive."""


@pytest.fixture(scope="module")
def fragile_engines(open_tmp_path: Path) -> Iterator[EmbeddedEngines]:
    copy_engine_data(open_tmp_path / "outages")
    embedded = EmbeddedEngines(open_tmp_path / "outages", bucket="safelight")
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture(scope="module")
def fragile_server(
    fragile_engines: EmbeddedEngines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AppServer]:
    """A library with default limits and short pauses of its jobs, to keep the tests fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "RETRY_DELAYS", (1,) * 30)
        patch.setattr(worker, "DEFAULT", WorkerTimings(polling=timedelta(seconds=1)))
        patient = determinism.set_database_deadline(timedelta(seconds=4))
        try:
            settings = settings_for(
                fragile_engines,
                tmp_path_factory.mktemp("fragile_server"),
                s3={"timeout": timedelta(seconds=8)},
            )
            with run_app_server(settings) as app_server:
                yield app_server
        finally:
            determinism.set_database_deadline(patient)


@pytest.fixture
def site(fragile_server: AppServer) -> Site:
    return fragile_server.site()


def hanging(engines: EmbeddedEngines, name: str) -> AbstractContextManager[None]:
    """Suspend an engine, which then neither responds nor ends."""
    return suspended(engines.pids()[name])


@contextmanager
def dead(engines: EmbeddedEngines, name: str) -> Iterator[None]:
    """Kill an engine, and restart it at the end, as `serve` does."""
    os.kill(engines.pids()[name], signal.SIGKILL)
    while engines._children[name].poll() is None:
        time.sleep(0.01)
    try:
        yield
    finally:
        asyncio.run(_restart(engines, name))


async def _restart(engines: EmbeddedEngines, name: str) -> None:
    before = engines.pids()[name]
    watch = asyncio.create_task(engines.supervise())
    engine = next(each for each in engines._engines() if each.title == name)
    while engines.pids()[name] == before or not await asyncio.to_thread(engine.is_ready):  # noqa: ASYNC110  a process has no event
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.2)
    watch.cancel()


Outage = Callable[[EmbeddedEngines, str], AbstractContextManager[None]]
OUTAGES: list[Outage] = [hanging, dead]


def upload(site: Site, data: bytes) -> httpx.Response:
    with site.client() as client:
        return client.post("/api/photos", files={"photo": data})


def upload_when_ready(site: Site, data: bytes) -> httpx.Response:
    """Upload a photo as clients do: try again as long as the service is unavailable."""
    answers: list[httpx.Response] = []

    def is_ready() -> bool:
        answers.append(upload(site, data))
        return answers[-1].status_code != 503

    assert wait_until(is_ready)
    return answers[-1]


def list_photos(site: Site) -> list[Any]:
    with site.client() as client:
        found: list[Any] = client.get("/api/photos").json()
        return found


def check_settled(fragile_server: AppServer, site: Site, *, ready: int) -> None:
    """Sweep twice, then check that only `ready` photos are left of all attempts.

    The store may complete an abandoned write after the first sweep, so a second follows later.
    """
    stored = [fragile_server.stored_ids()]
    while len(stored) < 5 or len(set(map(frozenset, stored[-5:]))) > 1:  # the store finishes writes
        time.sleep(0.1)
        stored.append(fragile_server.stored_ids())
    attempted = {name for _, _, name in fragile_server.rows(site.owner)}
    fragile_server.do(_sweep_much_later(fragile_server))
    rows = fragile_server.rows(site.owner)
    assert [status for _, status, _ in rows] == ["ready"] * ready
    assert attempted & fragile_server.stored_ids() == {name for _, _, name in rows}


async def _sweep_much_later(fragile_server: AppServer) -> None:
    later = fragile_server.library.now() + timedelta(hours=3)
    parts = fragile_server.library.backends
    await Sweep(parts.catalog, parts.bucket, clock=lambda: later).run()
    much_later = later + timedelta(hours=3)
    await Sweep(parts.catalog, parts.bucket, clock=lambda: much_later).run()


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
@pytest.mark.parametrize("name", ERROR_CODES)
def test_unavailable_engine_is_a_prompt_503_and_recovery_needs_no_restart(
    fragile_engines: EmbeddedEngines,
    fragile_server: AppServer,
    site: Site,
    name: str,
    outage: Outage,
) -> None:
    existing = upload(site, pictures.jpeg()).json()
    deleted = upload(site, pictures.gif()).json()
    calls: dict[str, tuple[str, str, dict[str, Any]]] = {
        "upload": ("POST", "/api/photos", {"files": {"photo": pictures.png()}}),
        "readiness": ("GET", "/readyz", {}),
        "list": ("GET", "/api/photos", {}),
        "photo": ("GET", f"/api/photos/{existing['id']}", {}),
        "edit": ("PATCH", f"/api/photos/{existing['id']}", {"json": {"title": "x"}}),
        "deletion": ("DELETE", f"/api/photos/{deleted['id']}?permanent=true", {}),
        "page": ("GET", "/", {}),
        "liveness": ("GET", "/healthz", {}),
        "metrics": ("GET", "/metrics", {}),
    }
    with outage(fragile_engines, name), ThreadPoolExecutor(len(calls)) as pool:
        pending = {what: pool.submit(_time_request, site, *call) for what, call in calls.items()}
        answers = {what: answer.result() for what, answer in pending.items()}
    statuses = {what: answer.status_code for what, (answer, _) in answers.items()}
    if name == "PostgreSQL":
        assert statuses == dict.fromkeys(calls, 503) | {"liveness": 200, "metrics": 200}
    else:
        assert statuses.pop("metrics") == 200
        expected = {
            "list": 200,
            "photo": 200,
            "edit": 200,
            "deletion": 204,
            "page": 200,
            "liveness": 200,
        }
        assert statuses == {"upload": 503, "readiness": 503} | expected
    for what, (answer, seconds) in answers.items():
        assert seconds < LIMIT, what
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) >= 1
            if what != "page":
                assert answer.json()["code"] == ERROR_CODES[name]
    _check_metrics(site, name, answers["metrics"][0].text)
    # The next upload succeeds without a restart.
    again = upload_when_ready(site, pictures.webp())
    assert again.status_code == 201, again.text
    ids = [photo["id"] for photo in list_photos(site)]
    kept = [existing["id"]] if name == "SeaweedFS" else [deleted["id"], existing["id"]]
    assert ids == [again.json()["id"], *kept]
    check_settled(fragile_server, site, ready=len(ids))


def _check_metrics(site: Site, name: str, metrics: str) -> None:
    assert ('safelight_jobs{state="waiting"}' in metrics) is (name == "SeaweedFS")
    if name == "SeaweedFS":
        with site.client() as client:
            found = scrape(client)
        # /readyz also reads only if it has written within the last ten seconds.
        assert found.get("storage_errors_total", verb="put") >= 1
        assert found.get("uploads_total", outcome="storage_unavailable") >= 1


def _time_request(
    site: Site, method: str, path: str, options: dict[str, Any]
) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    with site.client() as client:
        return client.request(method, path, **options), time.monotonic() - began


@pytest.mark.parametrize("name", ERROR_CODES)
def test_engine_lost_during_an_upload_leaves_nothing(
    fragile_engines: EmbeddedEngines, fragile_server: AppServer, site: Site, name: str
) -> None:
    body = form(photo_part(pictures.jpeg(800, 600)))
    with open_connection(site) as connection:
        connection.head(
            b"POST",
            b"/api/photos",
            b"Content-Type: " + MULTIPART,
            b"Content-Length: %d" % len(body),
        )
        connection.send(body[: len(body) // 2])
        with hanging(fragile_engines, name):
            connection.send(body[len(body) // 2 :])
            began = time.monotonic()
            answer = connection.answer()
            assert time.monotonic() - began < LIMIT
    _check_unavailable(answer, ERROR_CODES[name])
    assert list_photos(site) == []
    check_settled(fragile_server, site, ready=0)
    assert upload_when_ready(site, pictures.jpeg(800, 600)).status_code == 201


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
def test_catalog_lost_after_the_bytes_are_stored_leaves_nothing(
    fragile_engines: EmbeddedEngines, fragile_server: AppServer, site: Site, outage: Outage
) -> None:
    storage = fragile_server.library.backends.bucket
    put = storage.put
    stored, broken = asyncio.Event(), asyncio.Event()

    async def put_and_break(key: str, *given: Any, **options: Any) -> None:
        await put(key, *given, **options)
        stored.set()
        await broken.wait()

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as pool:
        patch.setattr(storage, "put", put_and_break)
        uploading = pool.submit(upload, site, pictures.jpeg())
        fragile_server.do(stored.wait())
        with outage(fragile_engines, "PostgreSQL"):
            fragile_server.loop.call_soon_threadsafe(broken.set)
            began = time.monotonic()
            answer = uploading.result()
            assert time.monotonic() - began < LIMIT
    assert (answer.status_code, answer.json()["code"]) == (503, "catalog_unavailable")
    assert list_photos(site) == []
    fragile_server.do(fragile_server.library.components.ingest.wait_for_undo())
    check_settled(fragile_server, site, ready=0)
    assert upload_when_ready(site, pictures.jpeg()).status_code == 201


def test_link_ends_although_the_store_was_unavailable_at_deletion(
    fragile_engines: EmbeddedEngines, fragile_server: AppServer, site: Site
) -> None:
    photo = upload(site, pictures.jpeg()).json()
    with dead(fragile_engines, "SeaweedFS"), site.client() as client:
        assert client.delete(f"/api/photos/{photo['id']}?permanent=true").status_code == 204
        assert client.get("/api/photos").json() == []
    deadline = time.monotonic() + 120
    while httpx.get(photo["photo_url"]).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    check_settled(fragile_server, site, ready=0)


def test_full_disk_is_reported_and_the_next_upload_works(
    fragile_server: AppServer, site: Site
) -> None:
    """A limit on file sizes simulates the full disk, so no special user is needed."""
    data = pictures.noise(200_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    try:
        answer = upload(site, pictures.jpeg()[:100] + data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_full")
    assert int(answer.headers["Retry-After"]) >= 1
    assert fragile_server.rows(site.owner) == []
    # A job of an earlier test may still use the spool.
    everything = fragile_server.settings.limits.max_spooled_bytes
    assert wait_until(lambda: fragile_server.library.spool.free_bytes == everything)
    assert upload(site, pictures.jpeg()).status_code == 201


def test_full_catalog_disk_is_reported_and_reads_continue(
    fragile_engines: EmbeddedEngines, fragile_server: AppServer, site: Site
) -> None:
    """A trigger raises PostgreSQL's error for a table file that can't be extended."""
    existing = upload(site, pictures.jpeg()).json()
    with psycopg.connect(fragile_engines.database_url, autocommit=True) as connection:
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
            listing = list_photos(site)
        finally:
            connection.execute("DROP FUNCTION full_disk CASCADE")
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_full")
    assert int(answer.headers["Retry-After"]) >= 1
    assert [photo["id"] for photo in listing] == [existing["id"]]
    assert httpx.get(listing[0]["photo_url"]).status_code == 200
    assert upload(site, pictures.png()).status_code == 201
    check_settled(fragile_server, site, ready=2)


def test_unwritable_spool_is_reported(fragile_server: AppServer, site: Site) -> None:
    """Another program has put a file where the folder was."""
    folder = fragile_server.settings.data_dir / "spool"
    assert upload(site, pictures.png()).status_code == 201
    assert wait_until(lambda: not any(folder.iterdir()))
    folder.rmdir()
    folder.write_text("in the way")
    answer = upload(site, pictures.jpeg())
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    with site.client() as client:
        assert client.get("/readyz").json()["code"] == "storage_unavailable"
    folder.unlink()
    assert upload(site, pictures.jpeg()).status_code == 201


def _check_unavailable(answer: RawResponse, code: str) -> None:
    assert (answer.status, answer.code) == (503, code)
    assert int(answer.headers["retry-after"]) >= 1

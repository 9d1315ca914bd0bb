"""`safelight serve`, killed at every step of an upload and a deletion: nothing is lost."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import crash_points
from safelight.catalog.tables import photos, uploads
from safelight.engines import EmbeddedEngines
from safelight.library import Library
from safelight.library.sweep import FORGET_AFTER, STALE_AFTER, Sweep
from safelight.library.uploads.upload_cleanup import ANSWERED_FOR, UploadCleanup
from support.app_server import settings_for
from support.engine_data import copy_engine_data
from support.pictures import jpeg
from support.serve_process import ServeProcess

T = TypeVar("T")
LATER = max(STALE_AFTER, FORGET_AFTER) + timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Servers:
    """Two servers over the same engines: one that crashes, and one that keeps running.

    A restart of the first is what the second does; `test_serve` tests the restart itself.
    """

    crashing: ServeProcess
    other: ServeProcess
    engines: EmbeddedEngines


@pytest.fixture(scope="module")
def servers(open_tmp_path: Path) -> Iterator[Servers]:
    folder = open_tmp_path / "crashes"
    copy_engine_data(folder / "engines")
    engines = EmbeddedEngines(folder / "engines", bucket="safelight")
    engines.start()
    settings = {
        "SAFELIGHT_TOKEN": "the-token-of-both-servers",
        "SAFELIGHT_DATABASE_URL": engines.database_url,
        "SAFELIGHT_S3__ENDPOINT_URL": engines.s3_endpoint_url,
        "SAFELIGHT_S3__ACCESS_KEY": engines.s3_access_key,
        "SAFELIGHT_S3__SECRET_KEY": engines.s3_secret_key,
    }
    other = ServeProcess(folder / "other", settings).start()
    yield Servers(ServeProcess(folder / "crashing", settings), other, engines)
    other.kill()
    engines.stop()


@asynccontextmanager
async def _library(servers: Servers) -> AsyncIterator[Library]:
    """Open a library over the servers' engines, without a worker."""
    settings = settings_for(servers.engines, servers.other.data_dir.with_name("library"))
    library = Library.from_settings(settings, worker=False)
    async with library.lifespan(None):
        yield library


async def _run_cleanup_later(library: Library) -> None:
    """Run the minutely jobs at later times."""
    parts, now = library.backends, datetime.now(UTC)
    for later in (now + LATER, now + 2 * LATER):
        await Sweep(parts.catalog, parts.bucket, clock=lambda at=later: at).run()  # type: ignore[misc]
    tomorrow = now + ANSWERED_FOR + LATER
    await UploadCleanup(
        parts.catalog.uploads, parts.bucket, parts.multipart, clock=lambda: tomorrow
    ).run()


async def _rows(library: Library) -> dict[str, str]:
    """Return the status of every row, by its storage id."""
    query = select(photos.c.name, photos.c.status)

    async def read(connection: AsyncConnection) -> dict[str, str]:
        return {row.name: row.status for row in await connection.execute(query)}

    return await library.backends.catalog.read(read)


async def _objects(library: Library) -> set[str]:
    found = library.backends.bucket._store.list("photos/")
    return {meta["path"].split("/")[1] async for batch in found for meta in batch}


def _add(served: ServeProcess, data: bytes) -> int:
    with served.client() as client:
        answer = client.post("/api/photos", files={"photo": ("a.jpg", data)})
    assert answer.status_code in {200, 201}
    id_: int = answer.json()["id"]
    return id_


def _add_concurrently(served: ServeProcess, data: bytes) -> list[int]:
    """Add the same bytes eight times at once; return the acknowledged ids."""

    def one(_: int) -> int | None:
        try:
            return _add(served, data)
        except httpx.TransportError:
            return None

    with ThreadPoolExecutor(8) as pool:
        return [id_ for id_ in pool.map(one, range(8)) if id_ is not None]


def _crash_at(server: ServeProcess, point: str, work: Callable[[], T]) -> T:
    """Start the server so that it dies at a crash point during `work`; return the result."""
    settings = server.settings
    server.settings = settings | {crash_points.VARIABLE: point}
    server.start()
    try:
        return work()
    finally:
        assert server.process is not None
        server.process.wait(120)
        assert server.process.returncode == -9
        server.settings = settings


@pytest.mark.parametrize("point", crash_points.ADD)
async def test_upload_is_complete_or_absent_after_a_crash(servers: Servers, point: str) -> None:
    width = 300 + 50 * crash_points.ADD.index(point)
    crashing = servers.crashing

    def adds() -> list[int]:
        """Upload until it dies: some points need two uploads of the same bytes to meet."""
        acknowledged = []
        for n in range(30):
            acknowledged += _add_concurrently(crashing, jpeg(width + n, 200))
            if crashing.process is None or crashing.process.poll() is not None:
                break
        return acknowledged

    acknowledged = _crash_at(crashing, point, adds)
    listed = _list_and_verify(servers.other)
    assert set(acknowledged) <= set(listed)
    await _nothing_is_left_over(servers, photos=len(listed))
    assert _add(servers.other, jpeg(width, 200)) in _list_and_verify(servers.other)


def _list_and_verify(served: ServeProcess) -> list[int]:
    """List all photos, and check that each is stored completely."""
    with served.client() as client, httpx.Client() as store:
        listed = client.get("/api/photos?limit=500").json()
        for photo in listed:
            stored = store.get(photo["photo_url"])
            assert (stored.status_code, len(stored.content)) == (200, photo["size"])
    return [photo["id"] for photo in listed]


@pytest.mark.parametrize("point", crash_points.DELETE)
async def test_deletion_is_completed_after_a_crash(servers: Servers, point: str) -> None:
    other = servers.other
    deleted, victim = _add(other, jpeg(201, 100)), _add(other, jpeg(202, 100))
    with other.client() as client:
        url = client.get(f"/api/photos/{victim}").json()["photo_url"]
        assert client.delete(f"/api/photos/{deleted}?permanent=true").status_code == 204

    def delete() -> None:
        with servers.crashing.client() as client, pytest.raises(httpx.TransportError):
            client.delete(f"/api/photos/{victim}?permanent=true")

    _crash_at(servers.crashing, point, delete)
    with other.client() as client:
        listed = [photo["id"] for photo in client.get("/api/photos?limit=500").json()]
    assert not {deleted, victim} & set(listed)
    _until_refused(url)
    await _nothing_is_left_over(servers, photos=len(listed))


@pytest.mark.parametrize("point", ["trash: row trashed", *crash_points.REKEY])
async def test_links_of_a_trashed_photo_die_after_a_crash(servers: Servers, point: str) -> None:
    other = servers.other
    victim = _add(other, jpeg(203, 100))
    with other.client() as client:
        url = client.get(f"/api/photos/{victim}").json()["original_url"]

    def trash() -> None:
        with servers.crashing.client() as client, pytest.raises(httpx.TransportError):
            client.delete(f"/api/photos/{victim}")

    _crash_at(servers.crashing, point, trash)
    _until_refused(url)
    with other.client() as client:
        assert client.post(f"/api/photos/{victim}/restore").status_code == 200
    listed = _list_and_verify(other)
    assert victim in listed
    await _nothing_is_left_over(servers, photos=len(listed))


async def test_revoked_links_die_after_a_crash(servers: Servers) -> None:
    other = servers.other
    victim = _add(other, jpeg(204, 100))
    url = _request(other, "GET", f"/api/photos/{victim}").json()["original_url"]
    _crash_at(
        servers.crashing,
        "revoke: row marked",
        lambda: _request_in_vain(servers.crashing, "POST", f"/api/photos/{victim}/revoke-links"),
    )
    _until_refused(url)
    listed = _list_and_verify(other)
    assert victim in listed
    await _nothing_is_left_over(servers, photos=len(listed))


async def test_photo_is_restored_after_a_crash(servers: Servers) -> None:
    other = servers.other
    victim = _add(other, jpeg(205, 100))
    path = f"/api/photos/{victim}"
    url = _request(other, "GET", path).json()["original_url"]
    assert _request(other, "DELETE", path).status_code == 204
    _crash_at(
        servers.crashing,
        "trash: row restored",
        lambda: _request_in_vain(servers.crashing, "POST", f"{path}/restore"),
    )
    assert _request(other, "POST", f"{path}/restore").status_code == 404, "it is restored"
    _until_refused(url)
    listed = _list_and_verify(other)
    assert victim in listed
    await _nothing_is_left_over(servers, photos=len(listed))


async def test_emptied_trash_is_purged_after_a_crash(servers: Servers) -> None:
    other = servers.other
    victims = [_add(other, jpeg(206 + n, 100)) for n in range(2)]
    ids = ",".join(map(str, victims))
    assert _request(other, "DELETE", f"/api/photos?ids={ids}").json()["done"] == victims
    _crash_at(
        servers.crashing,
        "trash: row soft-deleted",
        lambda: _request_in_vain(servers.crashing, "DELETE", "/api/trash"),
    )
    assert _request(other, "POST", f"/api/photos/restore?ids={ids}").json()["missing"] == victims
    await _nothing_is_left_over(servers, photos=len(_list_and_verify(other)))


def _request_in_vain(served: ServeProcess, method: str, address: str) -> None:
    with pytest.raises(httpx.TransportError):
        _request(served, method, address)


def _until_refused(url: str) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=120)
    while httpx.get(url).status_code == 200:
        assert datetime.now(UTC) < deadline
        time.sleep(0.1)


async def _nothing_is_left_over(servers: Servers, *, photos: int) -> None:
    async with _library(servers) as library:
        await _run_cleanup_later(library)
        rows = await _rows(library)
        assert list(rows.values()) == ["ready"] * photos
        assert await _objects(library) == set(rows)
        assert await library.backends.catalog.read(_uploads) == 0
        assert [
            meta async for some in library.backends.bucket._store.list("incoming/") for meta in some
        ] == []


async def _uploads(connection: AsyncConnection) -> int:
    return (await connection.execute(select(func.count()).select_from(uploads))).scalar_one()


def _send_directly(served: ServeProcess, data: bytes) -> str:
    """Send bytes directly to the bucket; return the path of the upload."""
    body = {"filename": "a.jpg", "content_type": "image/jpeg", "size": len(data)}
    with served.client() as client:
        upload = client.post("/api/uploads", json=body).json()
    httpx.put(upload["url"], content=data, headers=upload["headers"]).raise_for_status()
    return f"/api/uploads/{upload['id']}"


def _request(served: ServeProcess, method: str, address: str) -> httpx.Response:
    with served.client() as client:
        return client.request(method, address)


COMPLETION = tuple(point for point in crash_points.ADD if point.startswith("add:"))


@pytest.mark.parametrize("point", COMPLETION + crash_points.COMPLETE)
async def test_repeated_completion_after_a_crash_makes_one_photo(
    servers: Servers, point: str
) -> None:
    data = jpeg(1_000 + (COMPLETION + crash_points.COMPLETE).index(point), 90)
    address, before = _send_directly(servers.other, data), _list_and_verify(servers.other)

    def die() -> None:
        with pytest.raises(httpx.TransportError):
            _request(servers.crashing, "POST", f"{address}/complete")

    _crash_at(servers.crashing, point, die)
    first, again = (_request(servers.other, "POST", f"{address}/complete") for _ in range(2))
    assert {first.status_code, again.status_code} <= {200, 201}
    assert first.json()["id"] == again.json()["id"]
    assert sorted(_list_and_verify(servers.other)) == sorted([*before, first.json()["id"]])
    await _nothing_is_left_over(servers, photos=len(before) + 1)


@pytest.mark.parametrize("point", crash_points.REFUSE + crash_points.ABORT)
async def test_refused_or_aborted_upload_is_gone_after_a_crash(
    servers: Servers, point: str
) -> None:
    refused = point in crash_points.REFUSE
    address = _send_directly(servers.other, b"no photo" if refused else jpeg(1_100, 90))
    before = _list_and_verify(servers.other)
    end = ("POST", f"{address}/complete") if refused else ("DELETE", address)

    def die() -> None:
        with pytest.raises(httpx.TransportError):
            _request(servers.crashing, *end)

    _crash_at(servers.crashing, point, die)
    assert _request(servers.other, *end).status_code == 404
    assert _list_and_verify(servers.other) == before
    await _nothing_is_left_over(servers, photos=len(before))


def test_each_crash_point_is_unique_and_in_use() -> None:
    assert len(set(crash_points.CRASH_POINTS)) == len(crash_points.CRASH_POINTS)
    source = Path(crash_points.__file__).parent / "library"
    code = "\n".join(file.read_text() for file in source.rglob("*.py"))
    gone = " ".join(f"{each}: objects gone" for each in ("undo", "delete", "rekey"))
    code = code.replace("{passing}: objects gone", gone)
    code = code.replace("{passing}: upload ended", "refuse: upload ended abort: upload ended")
    passing = " ".join(f"{each}: incoming gone" for each in ("complete", "refuse", "abort"))
    code = code.replace("{passing}: incoming gone", passing)
    assert [point for point in crash_points.CRASH_POINTS if point not in code] == []


async def test_rendition_on_demand_is_made_once_more_after_a_crash(servers: Servers) -> None:
    crashing, other = servers.crashing, servers.other
    photo = _add(other, jpeg(1_500, 60))
    path = f"/api/photos/{photo}/w2560"

    def ask() -> None:
        with pytest.raises(httpx.TransportError):
            _request(crashing, "GET", path)

    _crash_at(crashing, "demand: object written", ask)
    answer = _request(other, "GET", path)
    assert answer.status_code == 307
    _fetch(answer.headers["Location"])
    await _nothing_is_left_over(servers, photos=len(_list_and_verify(other)))


def _fetch(url: str) -> None:
    assert httpx.get(url).status_code == 200

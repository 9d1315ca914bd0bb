"""`safelight serve`, killed at every step of an upload and of a deletion: nothing is lost by it."""

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from acceptance.served import Served
from pictures import jpeg
from safelight import crash_points
from safelight.engines import credentials, place
from safelight.library import Library
from safelight.library.incoming import ANSWERED_FOR, Incoming
from safelight.library.sweep import FORGET_AFTER, STALE_AFTER, Sweep
from safelight.settings import S3Settings, Settings
from safelight.tables import photos, uploads

T = TypeVar("T")
LATER = max(STALE_AFTER, FORGET_AFTER) + timedelta(minutes=5)


@pytest.fixture(scope="module")
def crashing(open_tmp_path: Path) -> Iterator[Served]:
    """A server that isn't running; it may be started and killed."""
    served = Served(open_tmp_path / "crashing")
    yield served
    served.stop()


def _settings(served: Served) -> Settings:
    """Settings that reach the engines of a server that runs."""
    keys = credentials.kept(served.data_dir / "secrets")
    note = served.data_dir / "socket"
    sockets = (
        Path(note.read_text())
        if note.exists()
        else place.settled(served.data_dir.resolve()).directory / "socket"
    )
    told = (line.strip() for line in served.screen.splitlines())
    store = next(line for line in told if line.startswith("Photo store")).split()[-1]
    host = quote(str(sockets), safe="")
    return Settings(
        data_dir=served.data_dir / "beside",
        database_url=SecretStr(
            f"postgresql://safelight:{keys.postgres_password}@/safelight?host={host}"
        ),
        s3=S3Settings(
            endpoint_url=store,
            access_key=keys.s3_access_key,
            secret_key=SecretStr(keys.s3_secret_key),
        ),
    )


@asynccontextmanager
async def _beside(served: Served) -> AsyncIterator[Library]:
    """A library over the server's engines, that does no jobs."""
    library = Library.from_settings(_settings(served), worker=False)
    async with library.lifespan(None):
        yield library


async def _later(library: Library) -> None:
    """Do what the minutely job does, at later times."""
    parts, now = library.parts, datetime.now(UTC)
    for later in (now + LATER, now + 2 * LATER):
        await Sweep(parts.catalog, parts.storage, clock=lambda at=later: at).once()  # type: ignore[misc]
    tomorrow = now + ANSWERED_FOR + LATER
    await Incoming(parts.catalog, parts.storage, parts.multiparts, clock=lambda: tomorrow).once()


async def _rows(library: Library) -> dict[str, str]:
    """Tell the status of every row, by its name."""
    query = select(photos.c.name, photos.c.status)

    async def read(connection: AsyncConnection) -> dict[str, str]:
        return {row.name: row.status for row in await connection.execute(query)}

    return await library.parts.catalog.read(read)


async def _objects(library: Library) -> set[str]:
    found = library.parts.storage._store.list("photos/")
    return {meta["path"].split("/")[1] async for batch in found for meta in batch}


def _add(served: Served, data: bytes) -> int:
    with served.client() as client:
        answer = client.post("/api/photos", files={"photo": ("a.jpg", data)})
    assert answer.status_code in {200, 201}
    id_: int = answer.json()["id"]
    return id_


def _adds(served: Served, data: bytes) -> list[int]:
    """Add the same bytes eight times at once; gives the ids that were acknowledged."""

    def one(_: int) -> int | None:
        try:
            return _add(served, data)
        except httpx.TransportError:
            return None

    with ThreadPoolExecutor(8) as crowd:
        return [id_ for id_ in crowd.map(one, range(8)) if id_ is not None]


def _killed(served: Served, point: str, work: Callable[[], T]) -> T:
    """Start the server so that it dies at a point; do something; gives what came of it."""
    served.settings = {crash_points.VARIABLE: point}
    served.start()
    try:
        return work()
    finally:
        assert served.process is not None
        served.process.wait(30)
        assert served.process.returncode == -9
        served.settings = {}


@pytest.mark.parametrize("point", crash_points.ADD)
async def test_an_upload_whose_server_dies_is_whole_or_never_was(
    crashing: Served, point: str
) -> None:
    width = 300 + 50 * crash_points.ADD.index(point)

    def adds() -> list[int]:
        """Upload until it dies: to lose against a twin takes some luck."""
        acknowledged = []
        for n in range(30):
            acknowledged += _adds(crashing, jpeg(width + n, 200))
            if crashing.process is None or crashing.process.poll() is not None:
                break
        return acknowledged

    acknowledged = _killed(crashing, point, adds)
    crashing.start()
    listed = _shown(crashing)
    assert set(acknowledged) <= set(listed)
    await _nothing_is_left_over(crashing, photos=len(listed))
    assert _add(crashing, jpeg(width, 200)) in _shown(crashing)
    crashing.stop()


def _shown(served: Served) -> list[int]:
    """List all photos, each of which must be there with all its bytes."""
    with served.client() as client:
        listed = client.get("/api/photos").json()
    for photo in listed:
        stored = httpx.get(photo["photo_url"])
        assert (stored.status_code, len(stored.content)) == (200, photo["size"])
    return [photo["id"] for photo in listed]


@pytest.mark.parametrize("point", crash_points.DELETE)
async def test_a_deletion_whose_server_dies_is_done_to_its_end(
    crashing: Served, point: str
) -> None:
    served = crashing.start()
    gone, doomed = _add(served, jpeg(201, 100)), _add(served, jpeg(202, 100))
    with served.client() as client:
        url = client.get(f"/api/photos/{doomed}").json()["photo_url"]
        assert client.delete(f"/api/photos/{gone}").status_code == 204
    served.stop()

    def delete() -> None:
        with served.client() as client, pytest.raises(httpx.TransportError):
            client.delete(f"/api/photos/{doomed}")

    _killed(served, point, delete)
    served.start()
    with served.client() as client:
        listed = [photo["id"] for photo in client.get("/api/photos").json()]
    assert not {gone, doomed} & set(listed)
    _until_refused(url)
    await _nothing_is_left_over(served, photos=len(listed))
    served.stop()


def _until_refused(url: str) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    while httpx.get(url).status_code == 200:
        assert datetime.now(UTC) < deadline


async def _nothing_is_left_over(served: Served, *, photos: int) -> None:
    async with _beside(served) as library:
        await _later(library)
        rows = await _rows(library)
        assert list(rows.values()) == ["ready"] * photos
        assert await _objects(library) == set(rows)
        assert await library.parts.catalog.read(_uploads) == 0
        assert [
            meta async for some in library.parts.storage._store.list("incoming/") for meta in some
        ] == []


async def _uploads(connection: AsyncConnection) -> int:
    return (await connection.execute(select(func.count()).select_from(uploads))).scalar_one()


def _sent(served: Served, data: bytes) -> str:
    """Send bytes straight to the bucket; gives the address of the upload."""
    asked = {"filename": "a.jpg", "content_type": "image/jpeg", "size": len(data)}
    with served.client() as client:
        upload = client.post("/api/uploads", json=asked).json()
    httpx.put(upload["url"], content=data, headers=upload["headers"]).raise_for_status()
    return f"/api/uploads/{upload['id']}"


def _asked(served: Served, method: str, address: str) -> httpx.Response:
    with served.client() as client:
        return client.request(method, address)


COMPLETION = tuple(point for point in crash_points.ADD if point.startswith("add:"))


@pytest.mark.parametrize("point", COMPLETION + crash_points.COMPLETE)
async def test_a_completion_whose_server_dies_is_one_photo_when_it_is_repeated(
    crashing: Served, point: str
) -> None:
    served = crashing
    data = jpeg(1_000 + (COMPLETION + crash_points.COMPLETE).index(point), 90)

    def die() -> tuple[str, list[int]]:
        address, before = _sent(served, data), _shown(served)
        with pytest.raises(httpx.TransportError):
            _asked(served, "POST", f"{address}/complete")
        return address, before

    address, before = _killed(served, point, die)
    served.start()
    first, again = (_asked(served, "POST", f"{address}/complete") for _ in range(2))
    assert {first.status_code, again.status_code} <= {200, 201}
    assert first.json()["id"] == again.json()["id"]
    assert sorted(_shown(served)) == sorted([*before, first.json()["id"]])
    await _nothing_is_left_over(served, photos=len(before) + 1)
    served.stop()


@pytest.mark.parametrize("point", crash_points.REFUSE + crash_points.ABORT)
async def test_an_upload_whose_server_dies_while_it_ends_is_gone(
    crashing: Served, point: str
) -> None:
    served = crashing
    refused = point in crash_points.REFUSE

    def die() -> tuple[tuple[str, str], list[int]]:
        address = _sent(served, b"no photo" if refused else jpeg(1_100, 90))
        before = _shown(served)
        end = ("POST", f"{address}/complete") if refused else ("DELETE", address)
        with pytest.raises(httpx.TransportError):
            _asked(served, *end)
        return end, before

    end, before = _killed(served, point, die)
    served.start()
    assert _asked(served, *end).status_code == 404
    assert _shown(served) == before
    await _nothing_is_left_over(served, photos=len(before))
    served.stop()


def test_every_crash_point_is_named_once_and_lies_in_the_code() -> None:
    assert len(set(crash_points.CRASH_POINTS)) == len(crash_points.CRASH_POINTS)
    source = Path(crash_points.__file__).parent / "library"
    code = "\n".join(file.read_text() for file in source.glob("*.py"))
    code = code.replace("{passing}: objects gone", "undo: objects gone delete: objects gone")
    code = code.replace("{passing}: upload ended", "refuse: upload ended abort: upload ended")
    passing = " ".join(f"{each}: incoming gone" for each in ("complete", "refuse", "abort"))
    code = code.replace("{passing}: incoming gone", passing)
    assert [point for point in crash_points.CRASH_POINTS if point not in code] == []

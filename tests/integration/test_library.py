"""The library, as a program that embeds it uses it."""

import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest
from fastapi import FastAPI

from safelight import photo_router
from safelight.catalog.rows import columns_from_facts
from safelight.errors import TooLarge, UsageError
from safelight.models import ImageFacts
from safelight.web import create_app
from support.app_server import AppServer
from support.pictures import jpeg


class _Changing(io.FileIO):
    """A file that is overwritten as soon as it has been read to its end."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "r")
        self._path = path

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size) or b""
        if not data:
            self._path.write_bytes(b"<script>" * 100)
        return data


def _add(app_server: AppServer, owner: str, file: BinaryIO) -> str:
    added = app_server.do(app_server.library.add(owner, file))
    return app_server.library.link(added.photo).url


def test_file_that_changes_is_stored_as_it_was_checked(
    app_server: AppServer, tmp_path: Path
) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg(320))
    with _Changing(path) as changing:
        url = _add(app_server, "changing", changing)
    assert path.read_bytes().startswith(b"<script>")
    assert httpx.get(url).content == jpeg(320)


def test_file_in_memory_is_added(app_server: AppServer) -> None:
    assert httpx.get(_add(app_server, "memory", io.BytesIO(jpeg(321)))).content == jpeg(321)


def test_file_over_the_limit_is_refused(app_server: AppServer, tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    with path.open("wb") as large:
        os.truncate(large.fileno(), app_server.library.limits.max_direct_bytes + 1)
    with path.open("rb") as large, pytest.raises(TooLarge):
        app_server.do(app_server.library.add("large", large))


def test_only_reads_count_towards_the_read_load(
    app_server: AppServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, reads = app_server.library, list[None]()
    monkeypatch.setattr(library.backends.darkroom.read_load, "record", lambda: reads.append(None))
    added = app_server.do(library.add("reader", io.BytesIO(jpeg(323))))
    app_server.do(library.render("reader", added.photo.id))
    assert not reads
    app_server.do(library.page("reader"))
    app_server.do(library.photo("reader", added.photo.id))
    assert len(reads) == 2


@pytest.mark.parametrize("owner", ["", "a\0b", None])
def test_invalid_owner_is_refused(app_server: AppServer, owner: str) -> None:
    with pytest.raises(UsageError, match="owner"):
        app_server.do(app_server.library.add(owner, io.BytesIO(jpeg(322))))


@pytest.mark.parametrize("owner", ["", None])
def test_request_without_an_owner_is_unauthenticated(
    app_server: AppServer, owner: str | None
) -> None:
    app = FastAPI()
    app.include_router(photo_router(app_server.library, owner=lambda: owner), prefix="/api")  # type: ignore[return-value, arg-type]  # a mistake of the embedding app
    with app_server.serve(app).client() as client:
        assert client.get("/api/photos").status_code == 401


@pytest.mark.parametrize("host", ["[::1", "a b", "x@y", "a;script-src x"])
def test_invalid_host_gets_links_to_the_configured_endpoint(
    app_server: AppServer, host: str
) -> None:
    app = FastAPI()
    app.include_router(photo_router(app_server.library, owner=lambda: "hosts"), prefix="/api")
    with app_server.serve(app).client() as client:
        files = {"photo": ("a.jpg", jpeg(323))}
        response = client.post("/api/photos", files=files, headers={"Host": host})
        assert response.status_code in {200, 201}
        assert httpx.get(response.json()["photo_url"]).status_code == 200


def test_started_library_is_neither_restarted_nor_closed_by_an_app(app_server: AppServer) -> None:
    library = app_server.library
    app = create_app(library, app_server.settings, token=None)

    async def run_app() -> None:
        async with app.router.lifespan_context(app):
            await library.ready()

    app_server.do(run_app())
    app_server.do(library.ready())
    with pytest.raises(UsageError, match="already started"):
        app_server.do(library.start())


@pytest.mark.parametrize(
    ("taken", "offset"),
    [
        (datetime(1, 1, 1), 14),  # noqa: DTZ001  a camera's clock has no zone
        (datetime(9999, 12, 31, 23), -12),  # noqa: DTZ001
    ],
)
def test_impossible_capture_time_is_not_an_error(taken: datetime, offset: int) -> None:
    facts = ImageFacts(
        format="jpeg",
        content_type="image/jpeg",
        width=1,
        height=1,
        taken_at=taken,
        taken_offset=timedelta(hours=offset),
    )
    now = datetime(2026, 5, 1, tzinfo=UTC)
    assert columns_from_facts(facts, now=now)["sort_at"] == now

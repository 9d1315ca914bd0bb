"""The library by itself, as another program uses it."""

import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest
from fastapi import FastAPI

from integration.served import House
from pictures import jpeg
from safelight import photo_router
from safelight.catalog.rows import facts_columns
from safelight.errors import TooLarge
from safelight.photo import ImageFacts
from safelight.web import create_app


class _Changing(io.FileIO):
    """A file that somebody writes to as soon as it was read to its end."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "r")
        self._path = path

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size) or b""
        if not data:
            self._path.write_bytes(b"<script>" * 100)
        return data


def _link_of(house: House, owner: str, file: BinaryIO) -> str:
    added = house.do(house.library.add(owner, file))
    return house.library.link(added.photo).url


def test_a_file_that_changes_meanwhile_is_stored_as_it_was_checked(
    a_house: House, tmp_path: Path
) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg(320))
    with _Changing(path) as changing:
        url = _link_of(a_house, "changing", changing)
    assert path.read_bytes().startswith(b"<script>")
    assert httpx.get(url).content == jpeg(320)


def test_a_file_in_memory_is_taken_too(a_house: House) -> None:
    assert httpx.get(_link_of(a_house, "memory", io.BytesIO(jpeg(321)))).content == jpeg(321)


def test_a_file_over_the_limit_is_refused(a_house: House, tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    with path.open("wb") as large:
        os.truncate(large.fileno(), a_house.library.limits.max_form_bytes + 1)
    with path.open("rb") as large, pytest.raises(TooLarge):
        a_house.do(a_house.library.add("large", large))


def test_whoever_reads_is_counted_as_a_reader_and_nobody_else(
    a_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, notes = a_house.library, list[None]()
    monkeypatch.setattr(library.parts.darkroom.readers, "note", lambda: notes.append(None))
    added = a_house.do(library.add("reader", io.BytesIO(jpeg(323))))
    a_house.do(library.develop("reader", added.photo.id))
    assert not notes
    a_house.do(library.page("reader"))
    a_house.do(library.photo("reader", added.photo.id))
    assert len(notes) == 2


@pytest.mark.parametrize("owner", ["", "a\0b", None])
def test_an_owner_that_is_no_name_is_refused(a_house: House, owner: str) -> None:
    with pytest.raises(ValueError, match="owner"):
        a_house.do(a_house.library.add(owner, io.BytesIO(jpeg(322))))


@pytest.mark.parametrize("owner", ["", None])
def test_a_visitor_without_a_name_is_let_in_nowhere(a_house: House, owner: str | None) -> None:
    app = FastAPI()
    app.include_router(photo_router(a_house.library, owner=lambda: owner), prefix="/api")  # type: ignore[return-value, arg-type]  # a host's mistake
    with a_house.serve(app).client() as client:
        assert client.get("/api/photos").status_code == 401


@pytest.mark.parametrize("host", ["[::1", "a b", "x@y", "a;script-src x"])
def test_a_host_that_is_none_gets_links_to_the_store_all_the_same(
    a_house: House, host: str
) -> None:
    app = FastAPI()
    app.include_router(photo_router(a_house.library, owner=lambda: "hosts"), prefix="/api")
    with a_house.serve(app).client() as client:
        files = {"photo": ("a.jpg", jpeg(323))}
        answer = client.post("/api/photos", files=files, headers={"Host": host})
        assert answer.status_code in {200, 201}
        assert httpx.get(answer.json()["photo_url"]).status_code == 200


def test_a_started_library_is_not_started_again_nor_closed_by_an_app(a_house: House) -> None:
    library = a_house.library
    app = create_app(library, a_house.settings, token=None)

    async def live() -> None:
        async with app.router.lifespan_context(app):
            await library.ready()

    a_house.do(live())
    a_house.do(library.ready())
    with pytest.raises(RuntimeError, match="started already"):
        a_house.do(library.start())


@pytest.mark.parametrize(
    ("taken", "offset"),
    [
        (datetime(1, 1, 1), 14),  # noqa: DTZ001  a camera's clock has no zone
        (datetime(9999, 12, 31, 23), -12),  # noqa: DTZ001
    ],
)
def test_a_camera_whose_clock_is_mad_costs_no_photo(taken: datetime, offset: int) -> None:
    facts = ImageFacts(
        format="jpeg",
        content_type="image/jpeg",
        width=1,
        height=1,
        taken_at=taken,
        taken_offset=timedelta(hours=offset),
    )
    now = datetime(2026, 5, 1, tzinfo=UTC)
    assert facts_columns(facts, now=now)["sort_at"] == now

"""The fixtures for apps that embed Safelight, used as such an app does."""

import asyncio
import io
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, get_args

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, text

from safelight import Library, photo_router
from safelight.engines import EmbeddedEngines
from safelight.errors import SettingsError, UsageError
from safelight.testing import PhotoFormat, library, memory_library
from safelight.testing.databases import MIGRATED, DatabaseCopies, DatabaseServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette would like a package that FastAPI doesn't require
    from fastapi.testclient import TestClient

__all__ = ["library", "memory_library"]

Photo = Callable[..., bytes]


@pytest.fixture(scope="session")
def photo() -> Photo:
    from safelight.testing import photo

    return photo


def make_app(library: Library) -> FastAPI:
    app = FastAPI(lifespan=library.lifespan)
    app.include_router(photo_router(library, owner=lambda: "ada"), prefix="/api")
    return app


def send(request: dict[str, Any], content: bytes) -> httpx.Response:
    headers = request.get("headers")
    return httpx.request(request["method"], request["url"], headers=headers, content=content)


@pytest.mark.parametrize("_round", [1, 2])
def test_each_test_starts_with_an_empty_library(
    memory_library: Library, photo: Photo, _round: int
) -> None:
    with TestClient(make_app(memory_library)) as client:
        assert client.get("/api/photos").json() == []
        added = client.post("/api/photos", files={"photo": photo(colour=(1, 2, 3))})
        assert added.status_code == 201


async def test_app_with_another_library_is_refused(memory_library: Library) -> None:
    """It would use the app's own photos."""
    theirs = Library(lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    with pytest.raises(UsageError, match="safelight_library = 'module:name'"):
        await theirs.start()
    async with memory_library:
        with pytest.raises(ZeroDivisionError):
            await theirs.start()


def test_links_work_until_they_are_changed_or_the_photo_is_deleted(
    memory_library: Library, photo: Photo
) -> None:
    with TestClient(make_app(memory_library)) as client:
        data = photo("png")
        added = client.post("/api/photos", files={"photo": data}).json()
        answer = httpx.get(added["photo_url"])
        assert (answer.status_code, answer.content) == (200, data)
        assert answer.headers["Content-Type"] == "image/png"
        assert {httpx.get(each["url"]).status_code for each in added["renditions"]} == {200}
        for wrong in (added["photo_url"][:-1], added["photo_url"].replace("Expires=", "Expires=1")):
            assert httpx.get(wrong).status_code == 403
        client.delete(f"/api/photos/{added['id']}?permanent=true")
        assert httpx.get(added["photo_url"]).status_code == 404


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: data[2:], "unsupported_type"),
        (lambda data: data[: len(data) // 2], "corrupt_image"),
        (lambda data: data[:0], "empty_file"),
    ],
)
def test_pictures_are_really_checked(
    memory_library: Library, photo: Photo, change: Callable[[bytes], bytes], code: str
) -> None:
    with TestClient(make_app(memory_library)) as client:
        answer = client.post("/api/photos", files={"photo": change(photo())})
        assert answer.json()["code"] == code


def test_direct_uploads_work_as_their_signature_says(memory_library: Library, photo: Photo) -> None:
    with TestClient(make_app(memory_library)) as client:
        data = photo()
        declared = {"filename": "a.jpg", "content_type": "image/jpeg", "size": len(data)}
        upload = client.post("/api/uploads", json=declared).json()
        assert send(upload, data[:-1]).status_code == 403
        assert send({**upload, "headers": {"Content-Type": "image/png"}}, data).status_code == 403
        assert client.post(f"/api/uploads/{upload['id']}/complete").status_code == 409
        assert send(upload, data).status_code == 200
        assert client.post(f"/api/uploads/{upload['id']}/complete").status_code == 201


@pytest.mark.parametrize("ends", ["complete", "abort"])
def test_multipart_uploads_work(memory_library: Library, photo: Photo, ends: str) -> None:
    with TestClient(make_app(memory_library)) as client:
        data = photo()
        declared = {"filename": "a.jpg", "content_type": "image/jpeg", "size": len(data)}
        upload = client.post("/api/uploads", json={**declared, "multipart": True}).json()

        def sign(operation: str, content: bytes = b"", **more: Any) -> httpx.Response:
            body = {"operation": operation, **more}
            signed = client.post(f"/api/uploads/{upload['id']}/sign", json=body)
            assert signed.status_code == 200, signed.text
            return send(signed.json(), content)

        started = sign("create").text
        id_ = started.partition("<UploadId>")[2].partition("</UploadId>")[0]
        etag = sign("part", data, upload_id=id_, part_number=1).headers["ETag"]
        assert etag in sign("list", upload_id=id_).text
        parts = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        assert sign(ends, body, upload_id=id_).status_code in {200, 204}
        done = client.post(f"/api/uploads/{upload['id']}/complete").status_code
        assert done == (201 if ends == "complete" else 409)


async def test_the_loop_of_the_test_can_start_it(memory_library: Library, photo: Photo) -> None:
    async with memory_library:
        assert (await memory_library.add("ada", io.BytesIO(photo()))).created


def test_any_loop_can_start_it_again(memory_library: Library, photo: Photo) -> None:
    async def add() -> bool:
        async with memory_library:
            return (await memory_library.add("ada", io.BytesIO(photo(colour=(9, 9, 9))))).created

    assert asyncio.run(add())
    assert not asyncio.run(add())  # The database is the same; it is of the test.


def test_the_hosts_tables_are_in_each_copy(postgres: EmbeddedEngines) -> None:
    opened: list[Engine] = []

    def create_tables(url: str) -> None:
        opened.append(create_engine(url))  # Its pool keeps a connection.
        with opened[0].begin() as connection:
            connection.execute(text("CREATE TABLE users (name text)"))

    server = DatabaseServer.of(postgres)
    server.create_template("with_users", template=MIGRATED, prepare=create_tables)
    copies = DatabaseCopies(server, "with_users")
    for _ in range(2):
        with copies.database() as url, psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
            connection.execute("INSERT INTO users VALUES ('ada')")
    copies.close()
    opened[0].dispose()
    server.drop("with_users")


def test_an_own_server_gets_all_migrations(postgres: EmbeddedEngines) -> None:
    server = DatabaseServer(postgres.superuser_url)
    server.create_template("own")
    with server.database(template="own") as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM safelight_photos").fetchone() == (0,)
    server.drop("own")


@pytest.mark.parametrize("_round", [1, 2])
def test_library_on_real_engines_is_empty_at_first(
    library: Library, photo: Photo, _round: int
) -> None:
    with TestClient(make_app(library)) as client:
        assert client.get("/api/photos").json() == []
        added = client.post("/api/photos", files={"photo": photo(colour=(1, 2, 3))})
        assert added.status_code == 201
        assert httpx.get(added.json()["photo_url"]).status_code == 200
        assert client.portal
        objects = client.portal.call(list_objects, library)
        assert len(objects) == 1 + len(added.json()["renditions"])


async def list_objects(library: Library) -> list[str]:
    pages = library.backends.bucket.list_objects("photos/")
    return [each.key async for page in pages for each in page]


async def test_library_that_is_left_started_is_an_error(memory_library: Library) -> None:
    async with memory_library:
        backends = memory_library.backends
        with pytest.raises(UsageError, match="already started"):
            memory_library.using(lambda: None).__enter__()  # type: ignore[arg-type,return-value]
    other = Library(lambda: None)  # type: ignore[arg-type,return-value]
    del backends
    with pytest.raises(UsageError, match="still started"), other.using(lambda: None):  # type: ignore[arg-type,return-value]
        other._is_started = True


def test_role_that_may_not_create_databases_is_named(postgres: EmbeddedEngines) -> None:
    with pytest.raises(SettingsError, match="ALTER ROLE safelight CREATEDB"):
        DatabaseServer(postgres.database_url).create("no")


@pytest.mark.parametrize("form", [form for form in get_args(PhotoFormat) if form != "gif"])
@pytest.mark.parametrize(
    "taken_at",
    [
        datetime(2024, 2, 29, 23, 59, 1),  # noqa: DTZ001  a camera's local time
        datetime(2019, 5, 7, 1, 2, 3, 120000, timezone(timedelta(hours=-3, minutes=-30))),
    ],
)
def test_date_and_location_of_a_picture_are_found(
    memory_library: Library, photo: Photo, form: PhotoFormat, taken_at: datetime
) -> None:
    data = photo(form, size=(64, 48), taken_at=taken_at, location=(-33.86, 151.21))

    async def add() -> Any:
        async with memory_library:
            return (await memory_library.add("ada", io.BytesIO(data))).photo

    facts = asyncio.run(add()).facts
    assert facts.taken_at == taken_at.replace(tzinfo=None)
    assert facts.taken_offset == taken_at.utcoffset()
    assert (facts.format, facts.width, facts.height) == (form, 64, 48)
    assert facts.details.located


def test_pictures_differ_unless_they_have_a_colour(photo: Photo) -> None:
    assert photo(size=(8, 8)) != photo(size=(8, 8))
    assert photo(size=(8, 8), colour=(0, 0, 255)) == photo(size=(8, 8), colour=(0, 0, 255))
    for wrong in (
        {"form": "bmp"},
        {"size": (0, 1)},
        {"colour": (256, 0, 0)},
        {"location": (91.0, 0.0)},
        {"form": "gif", "taken_at": datetime(2024, 1, 1)},  # noqa: DTZ001
    ):
        with pytest.raises(ValueError, match=r"must be|three numbers|latitude|GIF"):
            photo(**wrong)


def test_the_plugin_imports_nothing_slow() -> None:
    code = "import sys, safelight.testing; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"pyvips", "fastapi", "sqlalchemy", "pydantic"} & set(loaded)

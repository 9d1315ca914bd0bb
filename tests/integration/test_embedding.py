"""The plain surface of a library, for programs that embed it."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI, UploadFile
from jinja2 import Environment
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, InterfaceError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from starlette.datastructures import Headers

from safelight import (
    Caption,
    CatalogUnavailable,
    InvalidRequest,
    Library,
    NotFound,
    Photo,
    PresetSettings,
    RenditionSettings,
    Settings,
    StartedUpload,
    TooLarge,
    UsageError,
    add_error_handlers,
    keys,
)
from safelight.engines import EmbeddedEngines
from safelight.library.tasks import PURGE
from support.databases import database
from support.memory_library import open_memory_library, statuses
from support.pictures import jpeg

OTHERS = (
    "CREATE TABLE users (name text PRIMARY KEY, avatar_id bigint REFERENCES safelight_photos (id))",
    'CREATE TABLE "odd: Names" ("The photo" bigint REFERENCES safelight_photos (id))',
)


@pytest.fixture
async def connection(memory_library: Library) -> AsyncIterator[AsyncConnection]:
    """A connection of the host application, with a table of its own."""
    engine = create_async_engine(memory_library.database_url)
    async with engine.begin() as setup:
        for statement in OTHERS:
            await setup.execute(text(statement))
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


def _photo(number: int) -> bytes:
    return jpeg(64, 48, quality=90 - number)


async def _add(library: Library, owner: str, seed: int) -> Photo:
    return (await library.add(owner, _photo(seed))).photo


async def _ids(library: Library, owner: str) -> set[int]:
    return {photo.id for photo in (await library.list_photos(owner)).photos}


async def test_library_is_a_context(memory_library: Library) -> None:
    opened = Library(memory_library._open_backends, worker=False)
    async with opened as same:
        assert same is opened
        await opened.ready()
    with pytest.raises(UsageError, match="not started"):
        await opened.photo("a", 1)


async def test_photos_are_listed_in_pages(memory_library: Library) -> None:
    ids = [(await _add(memory_library, "ann", seed)).id for seed in range(3)]
    first = await memory_library.list_photos("ann", limit=2)
    assert [photo.id for photo in first.photos] == ids[:0:-1]
    assert first.next
    rest = await memory_library.list_photos("ann", limit=2, after=first.next)
    assert ([photo.id for photo in rest.photos], rest.next) == (ids[:1], None)
    assert (await memory_library.list_photos("cid")).photos == ()
    with pytest.raises(InvalidRequest):
        await memory_library.list_photos("ann", limit=501)


async def test_photos_have_the_order_of_their_ids(memory_library: Library) -> None:
    first, second = [(await _add(memory_library, "ann", seed)).id for seed in range(2)]
    foreign = (await _add(memory_library, "ben", 0)).id
    for ids in ([first, second], [second, foreign, first]):
        photos = await memory_library.photos("ann", ids)
        assert [photo.id for photo in photos] == [id_ for id_ in ids if id_ != foreign]


def _received(data: bytes, filename: str) -> UploadFile:
    return UploadFile(io.BytesIO(data), filename=filename, headers=Headers())


class _Pipe(io.BytesIO):
    """A file that can only be read once, from its start."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: Any) -> int:
        raise io.UnsupportedOperation


SOURCES: dict[str, Callable[[bytes, Path], Any]] = {
    "bytes": lambda data, _: data,
    "bytearray": lambda data, _: bytearray(data),
    "memoryview": lambda data, _: memoryview(data),
    "path": lambda _, path: path,
    "file in memory": lambda data, _: io.BytesIO(data),
    "pipe": lambda data, _: _Pipe(data),
    "received": lambda data, path: _received(data, path.name),
}


@pytest.mark.parametrize("kind", SOURCES)
async def test_photo_is_added_from(memory_library: Library, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "beach.jpg"
    path.write_bytes(_photo(7))
    photo = (await memory_library.add("ann", SOURCES[kind](_photo(7), path))).photo
    with path.open("rb") as opened:
        assert not (await memory_library.add("ann", opened)).created
    assert photo.size == len(_photo(7))
    assert photo.filename == ("beach.jpg" if kind in {"path", "received"} else "")


async def test_file_name_of_the_caption_counts(memory_library: Library) -> None:
    source = _received(_photo(7), "IMG_1.jpg")
    added = await memory_library.add("ann", source, Caption(filename="dog.jpg"))
    assert added.photo.filename == "dog.jpg"


@pytest.mark.parametrize("source", [b"x" * 4001, "large"])
async def test_limit_is_that_of_direct_uploads(
    postgres: EmbeddedEngines, tmp_path: Path, source: bytes | str
) -> None:
    limits: Any = {"max_form_bytes": 1000, "max_direct_bytes": 4000}
    (tmp_path / "large").write_bytes(b"x" * 4001)
    with database(postgres) as url:
        async with open_memory_library(url, tmp_path / "data", limits=limits) as library:
            with pytest.raises(TooLarge):
                await library.add("ann", source if isinstance(source, bytes) else tmp_path / source)
            assert (await library.add("ann", _photo(1))).created


@pytest.mark.parametrize(
    ("source", "reason"),
    [("beach.jpg", "not from str"), (io.StringIO("x"), "open it with mode"), (None, "NoneType")],
)
async def test_what_is_no_file_is_a_mistake(
    memory_library: Library, source: Any, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        await memory_library.add("ann", source)


async def test_photo_and_row_are_one_transaction(
    memory_library: Library, connection: AsyncConnection
) -> None:
    session = AsyncSession(connection)
    added = await memory_library.add("ann", _photo(1), within=session)
    await session.execute(text("INSERT INTO users VALUES ('ann', :id)"), {"id": added.photo.id})
    assert await _ids(memory_library, "ann") == set()
    await session.commit()
    assert await _ids(memory_library, "ann") == {added.photo.id}


async def test_deletion_is_part_of_a_transaction(
    memory_library: Library, connection: AsyncConnection
) -> None:
    photo = await _add(memory_library, "ann", 1)
    await memory_library.delete("ann", photo.id, within=connection)
    assert await _ids(memory_library, "ann") == {photo.id}
    await connection.rollback()
    await memory_library.delete("ann", photo.id, within=connection)
    with pytest.raises(NotFound):
        await memory_library.delete("ann", photo.id, within=connection)
    await connection.commit()
    assert await _ids(memory_library, "ann") == set()
    jobs = await memory_library.jobs.list(task=PURGE)
    assert sum(jobs.counts.values()) == 1
    await memory_library.components.sweep.purge()
    assert not await memory_library.backends.bucket.size(f"photos/{photo.storage_id}/original")


async def test_transaction_in_another_database_is_a_mistake(
    memory_library: Library, postgres: EmbeddedEngines
) -> None:
    photo = await _add(memory_library, "ann", 1)
    with database(postgres) as other:
        engine = create_async_engine(other.replace("postgresql:", "postgresql+psycopg:"))
        async with engine.connect() as elsewhere:
            with pytest.raises(UsageError, match="another database"):
                await memory_library.add("ann", _photo(2), within=elsewhere)
            with pytest.raises(UsageError, match="another database"):
                await memory_library.delete("ann", photo.id, within=elsewhere)
        await engine.dispose()
    assert await statuses(memory_library) == ["ready"]


async def test_something_else_than_a_connection_is_a_mistake(memory_library: Library) -> None:
    session: Any = object()
    with pytest.raises(UsageError, match="AsyncConnection or an AsyncSession"):
        await memory_library.add("ann", _photo(2), within=session)


async def test_other_event_loop_is_a_mistake(memory_library: Library) -> None:
    raised: list[BaseException] = []
    await memory_library.photos("ann", [1])

    def call() -> None:
        try:
            asyncio.run(memory_library.photos("ann", [1]))
        except UsageError as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert "another event loop" in str(raised)


async def test_owner_is_deleted_with_all_photos_and_uploads(memory_library: Library) -> None:
    kept = await _add(memory_library, "ben", 1)
    photos = [await _add(memory_library, "ann", seed) for seed in range(3)]
    started = await memory_library.uploads.begin("ann", size=9, content_type="image/jpeg")
    assert await memory_library.delete_owner("ann") == 3
    assert await memory_library.delete_owner("ann") == 0
    assert await _ids(memory_library, "ann") == set()
    assert await _ids(memory_library, "ben") == {kept.id}
    with pytest.raises(NotFound):
        await memory_library.uploads.complete("ann", started.upload.upload_id)  # type: ignore[union-attr]
    for photo in photos:
        assert not await memory_library.backends.bucket.size(f"photos/{photo.storage_id}/original")
    assert await memory_library.backends.bucket.size(f"photos/{kept.storage_id}/original")


async def test_owner_is_deleted_in_a_transaction(
    memory_library: Library, connection: AsyncConnection
) -> None:
    ids = {(await _add(memory_library, "ann", seed)).id for seed in range(3)}
    kept = await _add(memory_library, "ben", 1)
    assert await memory_library.delete_owner("ann", within=connection) == 3
    await connection.rollback()
    assert await _ids(memory_library, "ann") == ids
    assert await memory_library.delete_owner("ann", within=connection) == 3
    await connection.commit()
    assert await _ids(memory_library, "ann") == set()
    assert await _ids(memory_library, "ben") == {kept.id}
    assert [job.task for job in (await memory_library.jobs.list()).oldest] == [PURGE]


async def test_hooks_run_in_the_transaction(
    memory_library: Library, connection: AsyncConnection
) -> None:
    seen: list[tuple[str, int]] = []

    @memory_library.on_added
    async def attach(photo: Photo, transaction: AsyncConnection) -> None:
        seen.append(("added", photo.id))
        values = {"name": photo.title or "x", "id": photo.id}
        await transaction.execute(text("INSERT INTO users VALUES (:name, :id)"), values)

    @memory_library.on_deleted
    async def note(photo: Photo, _transaction: AsyncConnection) -> None:
        seen.append(("deleted", photo.id))

    first = await memory_library.add("ann", _photo(1), Caption(title="Ann"))
    await memory_library.add("ann", _photo(1))
    names = await connection.execute(text("SELECT avatar_id FROM users"))
    assert names.scalars().all() == [first.photo.id]
    await connection.rollback()
    within = await memory_library.add("ann", _photo(2), Caption(title="Ben"), within=connection)
    await connection.commit()
    await memory_library.delete("ann", first.photo.id)
    await memory_library.delete_owner("ann")
    assert seen == [
        ("added", first.photo.id),
        ("added", within.photo.id),
        ("deleted", first.photo.id),
        ("deleted", within.photo.id),
    ]


async def test_hook_runs_for_a_direct_upload(memory_library: Library) -> None:
    seen: list[int] = []

    @memory_library.on_added
    async def note(photo: Photo, _connection: AsyncConnection) -> None:
        seen.append(photo.id)

    data = _photo(1)
    started = await memory_library.uploads.begin("ann", size=len(data), content_type="image/jpeg")
    assert isinstance(started, StartedUpload)
    id_ = started.upload.upload_id
    await memory_library.backends.bucket.put(
        keys.incoming(id_), data, content_type="image/jpeg", same_size=False
    )
    added = [await memory_library.uploads.complete("ann", id_) for _ in range(2)]
    assert seen == [added[0].photo.id]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("not now"),
        OSError("not now"),
        TimeoutError("not now"),
        psycopg.OperationalError("not now"),
        psycopg.errors.UniqueViolation("not now: safelight_photos_sha256"),
        SQLAlchemyError("not now"),
        IntegrityError("not now: safelight_photos_sha256", None, Exception()),
        InterfaceError("not now", None, Exception()),
        NotFound("not now"),
        BaseExceptionGroup("not now", [OSError()]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_exception_of_a_hook_undoes_the_change(
    memory_library: Library, connection: AsyncConnection, error: Exception
) -> None:
    photo = await _add(memory_library, "ann", 1)

    async def refuse(_photo: Photo, _connection: AsyncConnection) -> None:
        raise error

    memory_library.on_added(refuse)
    memory_library.on_deleted(refuse)
    library, owner, id_ = memory_library, "ann", photo.id
    for call in (
        lambda: library.add(owner, _photo(2)),
        lambda: library.add(owner, _photo(3), within=connection),
        lambda: library.delete(owner, id_),
        lambda: library.delete(owner, id_, within=connection),
        lambda: library.delete_owner(owner),
        lambda: library.delete_owner(owner, within=connection),
    ):
        with pytest.raises(type(error), match="not now") as raised:
            await call()
        assert raised.value is error
        await connection.rollback()
    assert await _ids(memory_library, "ann") == {photo.id}
    assert await memory_library.backends.bucket.size(f"photos/{photo.storage_id}/original")


async def test_database_that_fails_in_a_hook_is_unavailable(memory_library: Library) -> None:
    @memory_library.on_added
    async def lose_connection(_photo: Photo, connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(CatalogUnavailable):
        await memory_library.add("ann", _photo(1))


async def test_photos_that_no_row_refers_to_are_listed(
    memory_library: Library, connection: AsyncConnection
) -> None:
    photos = [await _add(memory_library, "ann", seed) for seed in range(3)]
    await _add(memory_library, "ben", 1)
    ids = [photo.id for photo in photos]
    await connection.execute(text("INSERT INTO users VALUES ('a', :id)"), {"id": ids[0]})
    await connection.execute(text('INSERT INTO "odd: Names" VALUES (:id)'), {"id": ids[1]})
    await connection.commit()
    listed = await memory_library.unattached("ann", older_than=timedelta(0))
    assert [photo.id for photo in listed] == [ids[2]]
    assert await memory_library.unattached("ann", older_than=timedelta(hours=1)) == []


async def test_without_foreign_keys_nothing_counts_as_unattached(memory_library: Library) -> None:
    await _add(memory_library, "ann", 1)
    with pytest.raises(UsageError, match="foreign key"):
        await memory_library.unattached("ann", older_than=timedelta(0))


async def test_rows_that_are_hidden_do_not_make_photos_unattached(memory_library: Library) -> None:
    photo = await _add(memory_library, "ann", 1)
    engine = create_async_engine(memory_library.database_url)
    async with engine.begin() as connection:
        for statement in (
            f"CREATE TABLE users AS SELECT CAST({photo.id} AS bigint) AS photo_id",
            "ALTER TABLE users ADD FOREIGN KEY (photo_id) REFERENCES safelight_photos (id)",
            "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE users FORCE ROW LEVEL SECURITY",
        ):
            await connection.execute(text(statement))
    await engine.dispose()
    with pytest.raises(UsageError, match="row-level security"):
        await memory_library.unattached("ann", older_than=timedelta(0))


async def test_duplicates_are_kept_apart_if_the_settings_say_so(
    postgres: EmbeddedEngines, tmp_path: Path
) -> None:
    with database(postgres) as url:
        async with open_memory_library(url, tmp_path, duplicates="separate") as library:
            first, second = [await library.add("ann", _photo(1)) for _ in range(2)]
            assert first.created
            assert second.created
            started = await library.uploads.begin(
                "ann", size=9, content_type="image/jpeg", sha256=first.photo.sha256
            )
            assert not hasattr(started, "photo")
        async with open_memory_library(url, tmp_path) as library:
            again = await library.add("ann", _photo(1))
            assert not again.created
            assert again.photo.id in {first.photo.id, second.photo.id}
            assert (await library.add("ben", _photo(1))).created
            await library.delete_owner("ann")
            assert (await library.add("ann", _photo(1))).created
            assert not (await library.add("ann", _photo(1))).created


async def test_wrong_name_of_a_rendition_lists_the_right_ones(memory_library: Library) -> None:
    photo = await _add(memory_library, "ann", 1)
    with pytest.raises(NotFound, match=r"original, w320\. .*w2560"):
        memory_library.link(photo, "w321")
    with pytest.raises(NotFound, match=r"original, w320.*w2560"):
        await memory_library.rendition(photo, "w321")


async def test_original_with_a_location_is_never_linked_to_unasked(memory_library: Library) -> None:
    photo = await _add(memory_library, "ann", 1)
    details = replace(photo.facts.details, located=True)
    located = replace(photo, facts=replace(photo.facts, details=details))
    (made,) = located.renditions
    original = memory_library.link(photo, "original")
    for each in (located, replace(located, renditions=())):  # made, or not yet
        assert memory_library.link(each) == memory_library.link(photo, made.name)
        links = memory_library.photo_links(each)
        assert (links.display, links.shown) == (memory_library.link(each), made.name)
        assert (links.original, len(links.renditions)) == (original, len(each.renditions))
        assert "/original" not in memory_library.picture(each, alt="")
        assert memory_library.link(each, "original") == original
    assert memory_library.photo_links(photo).shown == "original"


async def test_rendition_is_made_when_it_is_asked_for(
    postgres: EmbeddedEngines, tmp_path: Path
) -> None:
    avatar = PresetSettings(name="avatar", width=32, height=32, fit="cover")
    renditions = RenditionSettings(presets=(avatar,))
    with database(postgres) as url:
        async with open_memory_library(url, tmp_path, renditions=renditions) as library:
            photo = await _add(library, "ann", 1)
            with pytest.raises(NotFound, match=r"Made on demand: .*avatar"):
                library.link(photo, "avatar")
            link = await library.rendition(photo, "avatar")
            assert link == await library.rendition(photo, "avatar")
            photo = await library.photo("ann", photo.id)
            assert library.link(photo, "avatar") == link
            assert link.url not in library.srcset(photo)
            assert (await library.rendition(photo, "original")).url == library.link(photo).url


def _whole(photo: Photo) -> Photo:
    """Return a photo with renditions of its proportions, which the test's decoder doesn't make."""
    (small,) = photo.renditions
    return replace(photo, renditions=(replace(small, height=48),))


async def test_html_is_inserted_by_templates_without_escaping_it_again(
    memory_library: Library,
) -> None:
    photo = _whole(await _add(memory_library, "ann", 1))
    environment = Environment(autoescape=True)
    environment.filters.update(memory_library.jinja_filters)
    template = '{{ photo | picture(alt=\'"<b>\', sizes="9vw", class_="card", data_id="7") }}'
    made = environment.from_string(template).render(photo=photo)
    url = memory_library.link(photo).url.replace("&", "&amp;")
    small = memory_library.link(photo, "w320").url.replace("&", "&amp;")
    assert made == (
        f'<img src="{url}" srcset="{small} 64w" sizes="9vw" width="64" height="48"'
        ' alt="&quot;&lt;b&gt;" loading="lazy" decoding="async" class="card" data-id="7">'
    )
    source = '<img srcset="{{ photo | srcset }}" src="{{ photo | photo_url("w320") }}">'
    escaped = environment.from_string(source).render(photo=photo)
    assert escaped == f'<img srcset="{small} 64w" src="{small}">'
    attributes: Any = {"x onload": "alert()"}
    with pytest.raises(UsageError, match="attribute"):
        memory_library.picture(photo, alt="", **attributes)
    assert memory_library.srcset(photo) == f"{memory_library.link(photo, 'w320').url} 64w"


async def test_errors_of_the_apps_own_endpoints_are_answered(memory_library: Library) -> None:
    app = FastAPI()
    add_error_handlers(app)

    @app.get("/photos/{photo_id}")
    async def show(photo_id: int) -> str:
        return (await memory_library.photo("ann", photo_id)).title

    @app.get("/text")
    async def add_text() -> None:
        await memory_library.add("ann", b"text")

    @app.get("/mistake")
    async def mistake() -> None:
        await memory_library.add("", b"text")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        responses = [await client.get(path) for path in ("/photos/7", "/text", "/mistake")]
    codes = [(response.status_code, response.json()["code"]) for response in responses]
    assert codes == [(404, "not_found"), (415, "unsupported_type"), (500, "error")]
    assert "owner" not in responses[2].text


def test_settings_take_secrets_as_text() -> None:
    settings = Settings(database_url="postgresql+asyncpg://a:hush@host/db")
    assert "hush" not in repr(settings)

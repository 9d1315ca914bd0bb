"""Objects of other programs become photos: checked, once, and without a client."""

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore
from sqlalchemy import create_engine, text

from safelight import Caption, Library, crash_points, keys
from safelight.cli.store.adopt import adopt
from safelight.cli.store.adoption_source import parse_address
from safelight.cli.store.adoption_table import Columns, OriginalTable, find_key
from safelight.engines import EmbeddedEngines
from safelight.errors import (
    Busy,
    CatalogUnavailable,
    ChecksumMismatch,
    CorruptImage,
    InvalidRequest,
    NotFound,
    SettingsError,
    TooLarge,
    UnsupportedType,
)
from safelight.library.uploads.adoption import Adoption, _is_unsupported, filename_of
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage import ObjectVersion
from safelight.testing import photo
from safelight.testing.bucket import CONFIG, MemoryObjects, make_memory_bucket
from support.app_server import settings_for
from support.fork_server import start_command

ID = "0b5c3a9e-5f2a-4f0e-9a53-1d2f4f0f5c11"
OLD = datetime(2021, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
async def library(
    engines: EmbeddedEngines, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Library]:
    settings = settings_for(engines, tmp_path_factory.mktemp("adoption"))
    async with Library.from_settings(settings, worker=False) as library:
        yield library


async def store_original(library: Library, data: bytes, name: str = "holiday.jpg") -> str:
    """Store an object as the tutorial does."""
    key = f"photos/{uuid4()}-{name}"
    await library.backends.bucket.put(key, data, content_type="application/octet-stream")
    return key


async def fetch(library: Library, key: str) -> bytes:
    chunks = io.BytesIO()
    await library.backends.bucket.fetch(key, chunks.write)
    return chunks.getvalue()


async def test_object_becomes_a_photo_and_stays(library: Library) -> None:
    data = photo("png")
    key = await store_original(library, data, "a b.png")
    added = await library.adopt("ada", key, caption=Caption(title="A"), created_at=OLD)
    assert added.created
    adopted = added.photo
    assert (adopted.title, adopted.filename, adopted.created_at) == ("A", "a b.png", OLD)
    assert adopted.facts.content_type == "image/png"
    assert keys.original(adopted.storage_id) != key
    assert await fetch(library, keys.original(adopted.storage_id)) == data
    assert await fetch(library, key) == data
    assert (await library.list_photos("ada")).photos[-1].id == adopted.id


async def test_the_store_copies_with_the_headers_of_a_photo(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    put = library.backends.bucket.put

    async def note(key: str, *args: Any, **more: Any) -> None:
        sent.append(key)
        await put(key, *args, **more)

    key = await store_original(library, photo())
    monkeypatch.setattr(library.backends.bucket, "put", note)
    adopted = (await library.adopt("ada", key)).photo
    assert keys.original(adopted.storage_id) not in sent
    response = await library.backends.bucket._api.request(
        "HEAD", {}, key=keys.original(adopted.storage_id)
    )
    assert response.headers["content-type"] == "image/jpeg"
    assert "immutable" in response.headers["cache-control"]


@pytest.mark.parametrize("case", ["replaced", "refused"])
async def test_a_copy_that_is_not_proven_is_not_used(
    library: Library, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """The source is replaced between the check and the copy, or the store can't copy."""
    data = photo()
    key = await store_original(library, data)
    bucket = library.backends.bucket
    copy = bucket.copy_version
    copied = []

    async def copy_later(source: ObjectVersion, to: str, *, content_type: str) -> bool:
        if case == "refused":
            return False
        await bucket.delete([key])
        await bucket.put(key, b"<script>", content_type="text/html")
        copied.append(to)
        return await copy(source, to, content_type=content_type)

    monkeypatch.setattr(bucket, "copy_version", copy_later)
    adopted = (await library.adopt("ada", key)).photo
    assert await fetch(library, keys.original(adopted.storage_id)) == data
    assert keys.original(adopted.storage_id) not in copied


async def test_a_repeated_call_returns_the_photo_without_reading(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await store_original(library, photo())
    first = await library.adopt("ada", key)
    await library.backends.bucket.delete([key])
    again = await library.adopt("ada", key)
    assert (again.photo.id, again.created) == (first.photo.id, False)


async def test_concurrent_calls_make_one_photo(library: Library) -> None:
    key, owner = await store_original(library, photo()), uuid4().hex
    results = await asyncio.gather(
        *(library.adopt(owner, key) for _ in range(5)), return_exceptions=True
    )
    made = {each.photo.id for each in results if not isinstance(each, BaseException)}
    assert all(isinstance(each, Busy) for each in results if isinstance(each, BaseException))
    assert len(made) == 1
    assert len((await library.list_photos(owner)).photos) == 1


async def test_bytes_that_the_owner_has_are_a_duplicate(library: Library) -> None:
    data, owner = photo(), uuid4().hex
    photo_id = (await library.add(owner, data)).photo.id
    added = await library.adopt(owner, await store_original(library, data))
    assert (added.photo.id, added.created) == (photo_id, False)


async def test_each_owner_gets_a_photo(library: Library) -> None:
    key = await store_original(library, photo())
    ids = {(await library.adopt(owner, key)).photo.id for owner in ("ada", "grace")}
    assert len(ids) == 2


async def test_a_deleted_photo_does_not_come_back(library: Library) -> None:
    key = await store_original(library, photo())
    await library.delete("ada", (await library.adopt("ada", key)).photo.id)
    with pytest.raises(NotFound, match="deleted"):
        await library.adopt("ada", key)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"<html></html>", UnsupportedType),
        (photo(colour=(1, 1, 1))[:2000], CorruptImage),
        (None, NotFound),
    ],
)
async def test_refused_object_leaves_nothing(
    library: Library, data: bytes | None, error: type[Exception]
) -> None:
    owner = uuid4().hex
    key = await store_original(library, data) if data else "photos/gone.jpg"
    with pytest.raises(error):
        await library.adopt(owner, key)
    assert (await library.list_photos(owner)).photos == ()


async def test_large_object_is_not_read(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    key = await store_original(library, photo())
    monkeypatch.setattr(library.components.adoption, "_max_bytes", 100)
    with pytest.raises(TooLarge):
        await library.adopt("ada", key)


async def test_own_objects_and_impossible_dates_are_refused(library: Library) -> None:
    adopted = (await library.adopt("ada", await store_original(library, photo()))).photo
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for key, created_at in (
        (keys.original(adopted.storage_id), None),
        (f"/{keys.original(adopted.storage_id)}", None),
        (f"photos//{adopted.storage_id}/original", None),
        ("/incoming/x", None),
        ("incoming/x", None),
        ("quarantine/x", None),
        ("", None),
        ("folder/", None),
        ("a//b.jpg", None),
        ("a/../b.jpg", None),
        ("a\x01b.jpg", None),
        ("\ud800", None),
        ("x" * 1025, None),
        ("a.jpg", tomorrow),
        ("a.jpg", datetime(2020, 1, 1)),  # noqa: DTZ001  which is refused
    ):
        with pytest.raises(InvalidRequest):
            await library.adopt("ada", key, created_at=created_at)


async def test_originals_are_deleted_only_if_their_photo_is_complete(library: Library) -> None:
    adoption = library.components.adoption
    key = await store_original(library, photo())
    with pytest.raises(NotFound, match="not been adopted"):
        await adoption.remove_original("ada", key)
    adopted = (await library.adopt("ada", key)).photo
    assert await adoption.remove_original("ada", key)
    assert not await adoption.remove_original("ada", key)
    other = await store_original(library, photo())
    lost = (await library.adopt("ada", other)).photo
    await library.backends.bucket.delete([keys.original(lost.storage_id)])
    with pytest.raises(NotFound, match="missing"):
        await adoption.remove_original("ada", other)
    assert await library.backends.bucket.size(other)
    assert await library.backends.bucket.size(keys.original(adopted.storage_id))


async def test_own_originals_stay_whatever_the_credentials_and_the_address() -> None:
    objects = MemoryObjects(clock=lambda: OLD)
    bucket = make_memory_bucket(objects)
    alias = make_memory_bucket(objects, config=replace(CONFIG, endpoint_url="http://alias"))
    others = make_memory_bucket(objects)
    others._credentials = StaticCredentials(Credentials(access_key="others", secret_key="x"))
    known = SimpleNamespace(id=1, size=1, sha256=sha256(b"x").hexdigest(), storage_id="0" * 32)
    catalog = SimpleNamespace(adoptions=AsyncMock(), photo=AsyncMock(return_value=known))
    parts: Any = dict.fromkeys(("darkroom", "spool", "ingest", "metrics"))
    adoption = Adoption(catalog, bucket, **parts, max_bytes=9, clock=lambda: OLD)  # type: ignore[arg-type]  # a stub
    key = keys.original(known.storage_id)
    await bucket.put(key, b"x", content_type="image/jpeg")
    with pytest.raises(InvalidRequest, match="of Safelight's own"):
        await adoption.remove_original("ada", key, source=others)
    with pytest.raises(InvalidRequest, match="itself"):
        await adoption.remove_original("ada", key, source=alias)
    assert await bucket.size(key) == 1


@given(key=st.text("a.%?#\\/\x01\x7f\n \u2028", min_size=1, max_size=6))
async def test_keys_are_refused_or_used_as_they_are(key: str) -> None:
    store = MemoryStore()
    if _is_unsupported(key):
        return
    await store.put_async(key, b"x")
    assert (await store.head_async(key))["path"] == key


async def test_an_original_that_was_replaced_stays(library: Library) -> None:
    adoption, bucket = library.components.adoption, library.backends.bucket
    key = await store_original(library, photo())
    adopted = (await library.adopt("ada", key)).photo
    replacement = photo("png")
    await bucket.delete([key])
    await bucket.put(key, replacement, content_type="image/png")
    with pytest.raises(ChecksumMismatch, match=f"replaced .* photo {adopted.id}"):
        await adoption.remove_original("ada", key)
    assert await fetch(library, key) == replacement


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (f"photos/{ID}-a.jpg", "a.jpg"),
        (f"{ID}_a.jpg", "a.jpg"),
        (f"{ID.replace('-', '')}_a_b.jpg", "a_b.jpg"),
        (f"x/{ID}", None),
        ("a.jpg", "a.jpg"),
        ("2024/05/a.jpg", "a.jpg"),
    ],
)
def test_file_name_is_that_in_the_key(key: str, name: str | None) -> None:
    assert filename_of(key) == (name or key.rpartition("/")[2])


@pytest.mark.parametrize(
    ("value", "prefix", "key"),
    [
        ("photos/a.jpg", "photos/", "photos/a.jpg"),
        ("a.jpg", "photos/", "photos/a.jpg"),
        ("a.jpg", "", "a.jpg"),
        ("https://b.s3.amazonaws.com/photos/a%20b.jpg", "photos/", "photos/a b.jpg"),
        ("http://127.0.0.1:9000/b/photos/a.jpg?X-Amz-Signature=1", "photos/", "photos/a.jpg"),
        ("", "photos/", ""),
    ],
)
def test_rows_name_keys_in_several_ways(value: str, prefix: str, key: str) -> None:
    assert find_key(value, prefix) == key


def test_address_of_the_source() -> None:
    assert parse_address("s3://my-bucket/a/b", {}) == ("my-bucket", "a/b/")
    assert parse_address("s3://my-bucket", {}) == ("my-bucket", "")
    assert parse_address("s3:///old/", {"BUCKET_NAME": "tutorial"}) == ("tutorial", "old/")
    assert parse_address("s3://", {"BUCKET_NAME": "tutorial"}) == ("tutorial", "")
    for wrong in ("s3://", "photos/", "https://b/x", "s3://A_B/"):
        with pytest.raises(SettingsError, match="names no bucket"):
            parse_address(wrong, {})


@pytest.fixture
def tutorial(
    library: Library,
    engines: EmbeddedEngines,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> str:
    """Set the environment of Safelight and of the tutorial's app; return its database's URL."""
    url = f"sqlite:///{tmp_path / 'tutorial.db'}"
    for name, value in {
        "SAFELIGHT_DATABASE_URL": engines.database_url,
        "SAFELIGHT_S3__ENDPOINT_URL": engines.s3_endpoint_url,
        "SAFELIGHT_S3__ACCESS_KEY": engines.s3_access_key,
        "SAFELIGHT_S3__SECRET_KEY": engines.s3_secret_key,
        "SAFELIGHT_DATA_DIR": str(tmp_path / "data"),
        "SAFELIGHT_OWNER": f"owner-{tmp_path.name}",
        "S3_ENDPOINT_URL": engines.s3_endpoint_url,
        "AWS_ACCESS_KEY": engines.s3_access_key,
        "AWS_SECRET_KEY": engines.s3_secret_key,
        "BUCKET_NAME": engines.bucket,
        "DATABASE_URL": url,
    }.items():
        monkeypatch.setenv(name, value)
    return url


async def test_command_adopts_the_rows_of_a_table_once(
    library: Library, tutorial: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [await store_original(library, photo()) for _ in range(3)]
    bad = await store_original(library, b"no photo")
    engine = create_engine(tutorial)
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE photos (id int, key text, title text, created_at timestamp)")
        )
        for number, key in enumerate([*good, bad, "photos/missing.jpg"]):
            connection.execute(
                text("INSERT INTO photos VALUES (:id, :key, :title, '2020-01-02 03:04:05')"),
                {"id": number, "key": key, "title": f"title {number}"},
            )
    engine.dispose()

    async def run(**options: Any) -> tuple[int, list[str]]:
        code = await asyncio.to_thread(adopt, "s3:///photos/", table="photos", **options)
        return code, sorted(line.split("\t")[0] for line in capsys.readouterr().out.splitlines())

    owner = f"owner-{tmp_path.name}"
    assert await run(dry_run=True) == (1, ["failed"] * 2 + ["good"] * 3)
    assert (await library.list_photos(owner)).photos == ()
    assert await run() == (1, ["adopted"] * 3 + ["failed"] * 2)
    assert await run() == (1, ["failed"] * 2 + ["known"] * 3)
    photos = (await library.list_photos(owner)).photos
    assert sorted(each.title for each in photos) == ["title 0", "title 1", "title 2"]
    assert {each.created_at for each in photos} == {datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)}
    assert all([await library.backends.bucket.size(key) for key in good])
    where = "id < 3"
    assert await run(delete_originals=True, where=where) == (0, ["deleted"] * 3)
    assert not any([await library.backends.bucket.size(key) for key in good])
    assert await library.backends.bucket.size(bad)


async def test_command_adopts_all_objects_below_a_prefix(
    library: Library, tutorial: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = f"photos/{uuid4().hex[:8]}"
    for number in range(2):
        await library.backends.bucket.put(
            f"{folder}/{number}.jpg", photo(), content_type="image/jpeg"
        )
    code = await asyncio.to_thread(adopt, f"s3:///{folder}", owner="grace", jobs=1)
    assert code == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [
        ["adopted", f"{folder}/0.jpg"],
        ["adopted", f"{folder}/1.jpg"],
    ]


async def test_an_outage_ends_the_command_without_a_traceback(
    library: Library, tutorial: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await store_original(library, photo())

    async def fail(*_: object, **__: object) -> None:
        raise CatalogUnavailable(retry_after=timedelta(0))

    monkeypatch.setattr(Adoption, "find", fail)
    monkeypatch.setattr("safelight.cli.store.adopt._PAUSE", timedelta(0))
    with pytest.raises(CatalogUnavailable):
        await asyncio.to_thread(adopt, f"s3:///{key.rpartition('/')[0]}")


@pytest.mark.parametrize(
    "point", ["adopt: fetched", "add: object written", "add: row ready", "adopt: recorded"]
)
async def test_killed_command_can_be_repeated(
    library: Library, tutorial: str, point: str, tmp_path: Path
) -> None:
    folder, owner = f"photos/{uuid4().hex[:8]}", uuid4().hex
    await library.backends.bucket.put(f"{folder}/a.jpg", photo(), content_type="image/jpeg")
    env = {name: value for name, value in os.environ.items() if name.startswith("SAFELIGHT_")}

    def run(**more: str) -> int:
        arguments = ["adopt", f"s3://{library.backends.bucket.name}/{folder}", "--owner", owner]
        environ = {"PATH": os.defpath, **env, **more}
        command = start_command(arguments, env=environ)
        command.communicate(timeout=180)
        assert command.returncode is not None
        return command.returncode

    assert await asyncio.to_thread(run, **{crash_points.VARIABLE: point}) == -signal.SIGKILL
    assert await asyncio.to_thread(run) == 0
    assert len((await library.list_photos(owner)).photos) == 1


HOSTILE = 'x"; DROP TABLE photos; -- %(a)s :b ? [c]'


@pytest.mark.parametrize(("database", "column"), [("postgres", HOSTILE), ("sqlite", "photo_id")])
async def test_command_writes_the_numbers_of_photos(  # noqa: PLR0917  fixtures
    library: Library,
    tutorial: str,
    engines: EmbeddedEngines,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    database: str,
    column: str,
) -> None:
    name = f"{uuid4().hex} {column}"[:60]
    url = tutorial if database == "sqlite" else engines.database_url
    monkeypatch.setenv("DATABASE_URL", url)
    primary = "primary key" if column == "photo_id" else ""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    quote = engine.dialect.identifier_preparer.quote_identifier
    table, quoted = quote(name), quote(column)
    good, same = photo(), photo()
    stored = [await store_original(library, data) for data in (good, same, same, b"text")]

    def rows() -> list[int | None]:
        with engine.connect() as connection:
            found = connection.exec_driver_sql(f"SELECT {quoted} FROM {table} ORDER BY id")
            return list(found.scalars())

    async def run(**options: Any) -> list[list[str]]:
        await asyncio.to_thread(adopt, "s3:///photos/", table=name, photo_column=column, **options)
        return [line.split("\t") for line in sorted(capsys.readouterr().out.splitlines())]

    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE {table} (id int {primary}, key text, {quoted} bigint)"
        )
        for number, key in enumerate(stored):
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({number}, '{key}', NULL)")
    try:
        planned = await run(dry_run=True)
        assert [line[3] for line in planned if line[0] == "good"] == [f"would set {column}"] * 3
        assert rows() == [None] * 4
        done = await run(where="id > 0")
        assert [line[0] for line in done] == ["adopted", "duplicate", "failed"]
        (number,) = {int(line[2]) for line in done[:2]}
        assert rows() == [None, number, number, None]
        again = await run()
        assert [[line[0], line[3]] for line in again if line[0] != "failed"] == [
            ["adopted", f"set {column}"],
            ["known", ""],
            ["known", ""],
        ]
        assert rows()[1:] == [number, number, None]
        with engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE {table} SET {quoted} = 7 WHERE id = 0")
        for dry_run in (True, False):
            refused = await run(dry_run=dry_run, where="id = 0")
            assert f"already has 7 in {column}" in refused[0][3]
        assert rows()[0] == 7
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP TABLE {table}")
        engine.dispose()


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        ("text", "has to be BIGINT"),
        ("smallint", "has to be BIGINT"),
        ("bigint REFERENCES other (id)", "foreign key to another table"),
        ("bigint PRIMARY KEY", "is a primary key"),
        ("bigint GENERATED ALWAYS AS (1)", "is a primary key or generated"),
    ],
)
def test_wrong_photo_column_is_named(tmp_path: Path, type_: str, message: str) -> None:
    tutorial = f"sqlite:///{tmp_path / 'tutorial.db'}"
    engine = create_engine(tutorial)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE other (id int PRIMARY KEY)"))
        connection.execute(text(f"CREATE TABLE photos (key text, photo_id {type_})"))
    engine.dispose()
    for column, words in (("photo_id", message), ("photo", "no column 'photo'"), ("key", "BIGINT")):
        with pytest.raises(SettingsError, match=words):
            OriginalTable(tutorial, "photos", Columns(key="key", photo=column))


def test_rows_without_a_key_are_left_out(tmp_path: Path) -> None:
    """Rows of the new code have a photo, but no key."""
    url = f"sqlite:///{tmp_path / 'tutorial.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE photos (id int PRIMARY KEY, key text)"))
        connection.execute(text("INSERT INTO photos VALUES (1, 'a'), (2, NULL), (3, ''), (4, 'b')"))
    engine.dispose()
    for where, keys_ in ((None, ["a", "b"]), ("id = 4 OR id < 3 -- the first", ["a", "b"])):
        table = OriginalTable(url, "photos", Columns(key="key"), where=where)
        found = [original.key for batch in table.read("", owner="ada") for original in batch]
        table.close()
        assert found == keys_


async def test_wrong_table_or_column_is_named(tutorial: str) -> None:
    engine = create_engine(tutorial)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE pictures (id int, object_key text)"))
    engine.dispose()
    for table, message in (("photos", "no table 'photos'"), ("pictures", "id, object_key")):
        with pytest.raises(SettingsError, match=message):
            await asyncio.to_thread(adopt, "s3://", table=table)


@pytest.mark.parametrize("url", ["nonsense", "postgresql://u:secret@host:port/x", "mysql://u@h/x"])
def test_wrong_database_url_is_explained(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL") as raised:
        OriginalTable(url, "photos", Columns(key="key"))
    assert "secret" not in str(raised.value)


async def test_wrong_bucket_or_key_is_named(tutorial: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"'my-photoz': \w+ .*Correct s3://BUCKET"):
        await asyncio.to_thread(adopt, "s3://my-photoz/")
    monkeypatch.setenv("AWS_ACCESS_KEY", "another")
    with pytest.raises(SettingsError, match=r"InvalidAccessKeyId .*AWS_ACCESS_KEY"):
        await asyncio.to_thread(adopt, "s3://")

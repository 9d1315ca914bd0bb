"""The data of ended uploads in ``incoming/`` is deleted, and then their rows."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from safelight import keys
from safelight.catalog.tables import uploads
from safelight.errors import StorageUnavailable, TooManyUploads
from safelight.library.uploads.upload_cleanup import RewriteCleanup, UploadCleanup
from safelight.models import Caption, Upload, UploadStatus
from safelight.storage import Bucket, MultipartUploads, UnfinishedUpload
from safelight.testing.bucket import MemoryMultipartUploads
from support import pictures
from support.app_server import AppServer, Site
from support.direct_uploads import (
    MultipartUpload,
    complete,
    has_objects,
    reserve,
    reserve_and_send,
    send,
)

HOUR = timedelta(hours=1)


def make_cleanup(
    app_server: AppServer, *, later: timedelta, multipart: MultipartUploads | None = None
) -> UploadCleanup:
    backends, now = app_server.library.backends, datetime.now(UTC) + later
    return UploadCleanup(
        backends.catalog.uploads,
        backends.bucket,
        multipart or backends.multipart,
        clock=lambda: now,
    )


def rows(app_server: AppServer, owner: str) -> dict[str, int]:
    """Count an owner's uploads in each status."""
    query = (
        select(uploads.c.status, func.count())
        .where(uploads.c.owner == owner)
        .group_by(uploads.c.status)
    )

    async def read(connection: AsyncConnection) -> dict[str, int]:
        return {row[0]: row[1] for row in await connection.execute(query)}

    return app_server.do(app_server.library.backends.catalog.read(read))


def test_concurrent_reservations_respect_the_limit(app_server: AppServer) -> None:
    catalog, now = app_server.library.backends.catalog, app_server.library.now()

    async def reserve_all() -> list[str]:
        outcomes = await asyncio.gather(
            *(catalog.uploads.reserve(_upload(now), at_most=50) for _ in range(60)),
            return_exceptions=True,
        )
        return [type(outcome).__name__ for outcome in outcomes]

    outcomes = app_server.do(reserve_all())
    assert sorted(outcomes) == ["NoneType"] * 50 + [TooManyUploads.__name__] * 10


def _upload(now: datetime, *, owner: str = "concurrent", in_parts: bool = False) -> Upload:
    return Upload(
        upload_id=keys.new_storage_id(),
        owner=owner,
        status=UploadStatus.OPEN,
        caption=Caption(),
        content_type="image/png",
        size=1,
        sha256=None,
        part_size=8 << 20 if in_parts else None,
        created_at=now,
        expires_at=now + 1.25 * HOUR,
    )


def test_unused_reservations_are_limited_and_expire(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    limit = app_server.library.limits.max_open_uploads
    app_server.do(_reserve(app_server, site.owner, limit - 1))
    last = reserve(client, b"x")
    assert last.status_code == 201
    for _ in range(3):
        refused = reserve(client, b"x")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_uploads")
    with app_server.site().client() as other:
        assert reserve(other, b"x").status_code == 201
    assert client.delete(f"/api/uploads/{last.json()['id']}").status_code == 204
    assert reserve(client, b"x").status_code == 201
    app_server.do(make_cleanup(app_server, later=2 * HOUR).run())
    assert rows(app_server, site.owner) == {"aborted": limit + 1}
    assert reserve(client, b"x").status_code == 201
    app_server.do(make_cleanup(app_server, later=4 * HOUR).run())
    assert rows(app_server, site.owner) == {}


async def _reserve(app_server: AppServer, owner: str, count: int) -> None:
    catalog, now = app_server.library.backends.catalog, app_server.library.now()
    for _ in range(count):
        await catalog.uploads.reserve(_upload(now, owner=owner), at_most=count)


def test_expired_reservation_does_not_count_towards_the_limit(app_server: AppServer) -> None:
    catalog, now = app_server.library.backends.catalog, app_server.library.now()
    old = _upload(now - 2 * HOUR, owner="expired")
    app_server.do(catalog.uploads.reserve(old, at_most=1))
    app_server.do(catalog.uploads.reserve(_upload(now, owner="expired"), at_most=1))
    with pytest.raises(TooManyUploads):
        app_server.do(catalog.uploads.reserve(_upload(now, owner="expired"), at_most=1))


def test_unfinished_parts_are_deleted_when_the_upload_expires(
    app_server: AppServer, client: httpx.Client
) -> None:
    upload = MultipartUpload.reserve(client, b"x" * 1000, multipart=True)
    upload.create()
    upload.part(1)
    app_server.do(make_cleanup(app_server, later=23 * HOUR).run())
    assert has_objects(app_server, upload.upload)
    app_server.do(make_cleanup(app_server, later=25 * HOUR).run())
    assert not has_objects(app_server, upload.upload)


def test_data_sent_again_is_deleted_by_each_cleanup(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    data = pictures.png()
    upload = reserve(client, data).json()
    app_server.do(make_cleanup(app_server, later=2 * HOUR).run())
    for _ in range(2):
        response = httpx.put(upload["url"], content=data, headers=upload["headers"])
        assert response.status_code == 200
        assert has_objects(app_server, upload)
        app_server.do(make_cleanup(app_server, later=2 * HOUR).run())
        assert not has_objects(app_server, upload)
    app_server.do(make_cleanup(app_server, later=4 * HOUR).run())
    assert rows(app_server, site.owner) == {}


def test_surplus_multipart_uploads_are_aborted(app_server: AppServer, client: httpx.Client) -> None:
    """The signature that starts one starts any number of them."""
    upload = MultipartUpload.reserve(client, b"x" * 1000, multipart=True)
    key = keys.incoming(upload.upload["id"])
    for _ in range(5):
        upload.create()
        upload.part(1)
    app_server.do(make_cleanup(app_server, later=timedelta(0)).run())
    left = app_server.do(app_server.library.backends.multipart.list_ids(key))
    assert len(left) == 2
    again = upload.sign("create")
    assert client.delete(f"/api/uploads/{upload.upload['id']}").status_code == 204
    assert send(again).status_code == 200
    assert has_objects(app_server, upload.upload)
    app_server.do(make_cleanup(app_server, later=timedelta(0)).run())
    assert not has_objects(app_server, upload.upload)


def test_newest_multipart_uploads_are_kept(app_server: AppServer) -> None:
    backends, multipart = app_server.library.backends, MemoryMultipartUploads()
    upload, now = _upload(app_server.library.now(), owner="newest"), datetime.now(UTC)
    app_server.do(backends.catalog.uploads.reserve(upload, at_most=1))
    multipart.unfinished[:] = [
        UnfinishedUpload(
            key=keys.incoming(upload.upload_id),
            s3_upload_id=str(minutes),
            started_at=now + timedelta(minutes=minutes),
        )
        for minutes in (3, 1, 4, 2)
    ]
    cleanup = RewriteCleanup(backends.catalog.uploads, backends.bucket, multipart)
    app_server.do(cleanup.run())
    assert {each.s3_upload_id for each in multipart.unfinished} == {"3", "4"}


def test_bytes_of_unused_reservations_are_limited(app_server: AppServer) -> None:
    """Aborting frees none of them while a signature can still write."""
    catalog, now = app_server.library.backends.catalog, app_server.library.now()
    lifetime = timedelta(minutes=15)

    async def attempt(later: timedelta = timedelta(0)) -> Upload:
        upload = _upload(now + later, owner="bytes")
        await catalog.uploads.reserve(upload, at_most=100, max_bytes=2, signature_lifetime=lifetime)
        return upload

    async def abort(upload: Upload) -> None:
        async def nothing(_: AsyncConnection) -> None:
            pass

        await catalog.uploads.abort(upload.upload_id, now=now, in_transaction=nothing)

    first, _ = app_server.do(attempt()), app_server.do(attempt())
    with pytest.raises(TooManyUploads):
        app_server.do(attempt())
    app_server.do(abort(first))
    with pytest.raises(TooManyUploads):
        app_server.do(attempt())
    app_server.do(attempt(lifetime + timedelta(seconds=1)))


def test_completed_upload_is_remembered_for_a_day(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    upload = reserve_and_send(client, pictures.jpeg(70, 48))
    photo = complete(client, upload).json()
    app_server.do(make_cleanup(app_server, later=23 * HOUR).run())
    assert complete(client, upload).json()["id"] == photo["id"]
    app_server.do(make_cleanup(app_server, later=25 * HOUR).run())
    assert complete(client, upload).status_code == 404
    assert rows(app_server, site.owner) == {}
    assert client.get(f"/api/photos/{photo['id']}").status_code == 200


class _FailingMultipart(MultipartUploads):
    """The real store, except that it fails to abort one upload."""

    def __init__(self, real: MultipartUploads, failing: str) -> None:
        self.__dict__.update(real.__dict__)
        self._failing = failing

    async def abort(self, key: str) -> int:
        if key == self._failing:
            raise StorageUnavailable
        return await super().abort(key)


def test_failing_upload_does_not_stop_the_cleanup_of_others(app_server: AppServer) -> None:
    library = app_server.library
    reserved_uploads = [_upload(library.now(), owner="failing", in_parts=True) for _ in range(4)]
    for upload in reserved_uploads:
        app_server.do(library.backends.catalog.uploads.reserve(upload, at_most=10))
    failing = _FailingMultipart(
        library.backends.multipart, keys.incoming(reserved_uploads[1].upload_id)
    )
    with pytest.raises(StorageUnavailable):
        app_server.do(make_cleanup(app_server, later=4 * HOUR, multipart=failing).run())
    assert rows(app_server, "failing") == {"aborted": 1}
    app_server.do(make_cleanup(app_server, later=4 * HOUR).run())
    assert rows(app_server, "failing") == {}


class _UndeletableBucket(Bucket):
    """The real bucket, except that every deletion fails."""

    def __init__(self, real: Bucket) -> None:
        self.__dict__.update(real.__dict__)
        self.error: Exception = StorageUnavailable()

    async def delete(self, keys: Sequence[str]) -> None:
        raise self.error from RuntimeError(f"{keys} stay")


def test_failed_cleanup_is_left_to_the_job(
    app_server: AppServer,
    site: Site,
    client: httpx.Client,
    caplog: pytest.LogCaptureFixture,
) -> None:
    uploads = app_server.library.components.direct_uploads
    bucket = _UndeletableBucket(app_server.library.backends.bucket)
    real, uploads._cleanup._bucket = uploads._cleanup._bucket, bucket
    try:
        upload = reserve_and_send(client, pictures.jpeg(71, 48))
        assert complete(client, upload).status_code == 201
        bucket.error = TimeoutError()
        aborted = reserve_and_send(client, pictures.jpeg(72, 48))
        assert client.delete(f"/api/uploads/{aborted['id']}").status_code == 204
        assert has_objects(app_server, upload)
        assert has_objects(app_server, aborted)
        assert f"upload {aborted['id']} will be cleared later: the store is slow" in caplog.text
    finally:
        uploads._cleanup._bucket = real
    app_server.do(make_cleanup(app_server, later=timedelta(0)).clear())
    assert not has_objects(app_server, upload)
    assert not has_objects(app_server, aborted)


def test_multipart_uploads_are_listed_for_their_key_only(
    app_server: AppServer, client: httpx.Client
) -> None:
    first, second = (MultipartUpload.reserve(client, b"x", multipart=True) for _ in range(2))
    first.create()
    second.create()
    multipart = app_server.library.backends.multipart
    assert app_server.do(multipart.list_ids(keys.incoming(first.upload["id"]))) == [first.upload_id]
    assert app_server.do(multipart.abort(keys.incoming(first.upload["id"]))) == 1
    assert app_server.do(multipart.abort(keys.incoming(first.upload["id"]))) == 0
    assert app_server.do(multipart.list_ids(keys.incoming(second.upload["id"]))) == [
        second.upload_id
    ]


def test_first_of_two_completions_to_end_makes_the_photo(
    app_server: AppServer, site: Site, client: httpx.Client
) -> None:
    first, second = (pictures.png_with(pictures.png_chunk(b"saFe", b"%d" % n)) for n in (1, 2))
    upload, storage = reserve_and_send(client, first), app_server.library.backends.bucket
    read, over, fetch = threading.Event(), asyncio.Event(), storage.fetch

    async def fetch_and_wait(*arguments: Any, **options: Any) -> int:
        size = await fetch(*arguments, **options)
        storage.fetch = fetch  # type: ignore[method-assign]  # the second call doesn't wait
        read.set()
        await over.wait()
        return size

    storage.fetch = fetch_and_wait  # type: ignore[method-assign]  # for the first call
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(complete, client, upload)
        assert read.wait(120)
        httpx.put(upload["url"], content=second, headers=upload["headers"]).raise_for_status()
        quick = complete(client, upload)
        app_server.loop.call_soon_threadsafe(over.set)
        late = held.result()
    assert (quick.status_code, late.status_code) == (201, 200)
    assert late.json() == quick.json()
    assert httpx.get(late.json()["original_url"]).content == second
    app_server.do(app_server.library.components.ingest.wait_for_undo())
    assert [status for _, status, _ in app_server.rows(site.owner) if status != "deleted"] == [
        "ready"
    ]

"""Direct uploads: what completing, refusing and aborting them leaves behind."""

import asyncio
import hashlib
from datetime import timedelta
from typing import Any

import pytest

from safelight import crash_points, errors, keys
from safelight.library import AddResult, Library, StartedUpload
from safelight.library.uploads.upload_cleanup import ANSWERED_FOR, FORGET_AFTER, UploadCleanup
from safelight.models import Upload
from support import pictures
from support.memory_library import statuses
from support.reconcile import keys_of, list_objects

OWNER = "o"
DATA = pictures.jpeg(300, 200)
SHA256 = hashlib.sha256(DATA).hexdigest()


async def _begin(library: Library, data: bytes = DATA, **options: Any) -> Upload:
    declared: dict[str, Any] = {"size": len(data), "content_type": "image/jpeg"} | options
    started = await library.uploads.begin(OWNER, **declared)
    assert isinstance(started, StartedUpload)
    return started.upload


async def _send(library: Library, upload: Upload, data: bytes = DATA) -> None:
    key = keys.incoming(upload.upload_id)
    await library.backends.bucket.put(key, data, content_type="image/jpeg")


async def _begin_and_send(library: Library, data: bytes = DATA, **options: Any) -> Upload:
    upload = await _begin(library, data, **options)
    await _send(library, upload, data)
    return upload


async def _complete(library: Library, upload: Upload) -> AddResult:
    return await library.uploads.complete(OWNER, upload.upload_id)


async def _clean_up(library: Library, *, after: timedelta) -> None:
    backends, now = library.backends, library.now() + after
    await UploadCleanup(
        backends.catalog.uploads, backends.bucket, backends.multipart, clock=lambda: now
    ).run()


async def test_completed_upload_is_a_photo(memory_library: Library) -> None:
    upload = await _begin_and_send(memory_library, sha256=SHA256)
    added = await _complete(memory_library, upload)
    assert (added.created, added.photo.sha256) == (True, SHA256)
    assert await list_objects(memory_library) == keys_of(added.photo)
    assert await list_objects(memory_library, "incoming/") == set()


async def test_completing_again_returns_the_same_photo(memory_library: Library) -> None:
    upload = await _begin_and_send(memory_library)
    first = await _complete(memory_library, upload)
    again = await _complete(memory_library, upload)
    assert (again.photo, again.created) == (first.photo, False)


async def test_completing_at_once_makes_one_photo(memory_library: Library) -> None:
    upload = await _begin_and_send(memory_library)
    added = await asyncio.gather(*[_complete(memory_library, upload) for _ in range(6)])
    await memory_library.components.ingest.wait_for_undo()
    assert len({result.photo.id for result in added}) == 1
    assert await list_objects(memory_library) == keys_of(added[0].photo)


async def test_upload_without_its_bytes_stays_open(memory_library: Library) -> None:
    upload = await _begin(memory_library)
    with pytest.raises(errors.UploadIncomplete):
        await _complete(memory_library, upload)
    await _send(memory_library, upload)
    assert (await _complete(memory_library, upload)).created


@pytest.mark.parametrize(
    ("declared", "sent", "error"),
    [
        ({"size": len(DATA) - 1}, DATA, errors.TooLarge),
        ({"sha256": "0" * 64}, DATA, errors.ChecksumMismatch),
        ({"size": 11}, b"not a photo", errors.UnsupportedType),
        ({"size": len(DATA) - 2000}, DATA[:-2000], errors.CorruptImage),
    ],
)
async def test_refused_upload_ends_and_its_bytes_are_deleted(
    memory_library: Library, declared: dict[str, Any], sent: bytes, error: type[errors.Invalid]
) -> None:
    upload = await _begin(memory_library, **declared)
    await _send(memory_library, upload, sent)
    with pytest.raises(error):
        await _complete(memory_library, upload)
    assert await list_objects(memory_library, "incoming/") == set()
    assert await statuses(memory_library) == []
    with pytest.raises(errors.NotFound):
        await _complete(memory_library, upload)


async def test_known_bytes_need_no_upload(memory_library: Library) -> None:
    photo = (await _complete(memory_library, await _begin_and_send(memory_library))).photo
    again = await memory_library.uploads.begin(
        OWNER, size=len(DATA), content_type="image/jpeg", sha256=SHA256
    )
    assert again == AddResult(photo=photo, created=False)


async def test_upload_of_known_bytes_completes_with_the_first_photo(
    memory_library: Library,
) -> None:
    first = await _complete(memory_library, await _begin_and_send(memory_library))
    upload = await _begin_and_send(memory_library)
    assert (await _complete(memory_library, upload)).photo == first.photo
    assert (await _complete(memory_library, upload)).photo == first.photo
    assert await list_objects(memory_library, "incoming/") == set()


async def test_aborted_upload_is_gone(memory_library: Library) -> None:
    upload = await _begin_and_send(memory_library)
    await memory_library.uploads.abort(OWNER, upload.upload_id)
    assert await list_objects(memory_library, "incoming/") == set()
    for call in (memory_library.uploads.abort, memory_library.uploads.complete):
        with pytest.raises(errors.NotFound):
            await call(OWNER, upload.upload_id)


@pytest.mark.parametrize("upload_id", ["0" * 32, "", "../../photos", "0" * 31 + "G"])
async def test_unknown_upload_is_not_found(memory_library: Library, upload_id: str) -> None:
    with pytest.raises(errors.NotFound):
        await memory_library.uploads.complete(OWNER, upload_id)


async def test_upload_of_another_owner_is_not_found(memory_library: Library) -> None:
    upload = await _begin_and_send(memory_library)
    for call in (memory_library.uploads.abort, memory_library.uploads.complete):
        with pytest.raises(errors.NotFound):
            await call("another", upload.upload_id)
    assert (await _complete(memory_library, upload)).created


class _Killed(BaseException):
    """Ends a call as the end of its process does."""


@pytest.mark.parametrize("point", ["complete: fetched", "complete: noted", *crash_points.ABORT])
async def test_cleanup_removes_what_a_crash_left(
    memory_library: Library, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    def kill(reached: str) -> None:
        if reached == point:
            raise _Killed

    upload = await _begin_and_send(memory_library)
    calls = memory_library.uploads
    call = calls.abort if point.startswith("abort") else calls.complete
    with monkeypatch.context() as patch:
        patch.setattr("safelight.library.uploads.direct_uploads.reached", kill)
        patch.setattr("safelight.library.uploads.upload_cleanup.reached", kill)
        with pytest.raises(_Killed):
            await call(OWNER, upload.upload_id)
    await _clean_up(memory_library, after=upload.expires_at - memory_library.now() + FORGET_AFTER)
    assert await list_objects(memory_library, "incoming/") == set()
    await _clean_up(memory_library, after=ANSWERED_FOR + FORGET_AFTER * 3)
    assert await memory_library.backends.catalog.uploads.find_known([upload.upload_id]) == set()
    assert await statuses(memory_library) == (["ready"] if point == "complete: noted" else [])

"""What lies in ``incoming/`` after its upload has ended: it goes, and so do the rows."""

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

import pictures
from integration.direct import InParts, complete, lies, reserve, sent
from integration.served import House, Site
from safelight import keys
from safelight.errors import StorageUnavailable, TooManyUploads
from safelight.library.incoming import Incoming
from safelight.photo import Caption
from safelight.storage import Multiparts, Storage
from safelight.tables import uploads
from safelight.upload import Upload, UploadStatus

HOUR = timedelta(hours=1)


def incoming(house: House, *, later: timedelta, multiparts: Multiparts | None = None) -> Incoming:
    parts, then = house.library.parts, datetime.now(UTC) + later
    return Incoming(
        parts.catalog, parts.storage, multiparts or parts.multiparts, clock=lambda: then
    )


def rows(house: House, owner: str) -> dict[str, int]:
    """Count an owner's uploads in each status."""
    query = (
        select(uploads.c.status, func.count())
        .where(uploads.c.owner == owner)
        .group_by(uploads.c.status)
    )

    async def read(connection: AsyncConnection) -> dict[str, int]:
        return {row[0]: row[1] for row in await connection.execute(query)}

    return house.do(house.library.parts.catalog.read(read))


def test_of_reservations_at_once_no_more_than_allowed_are_made(a_house: House) -> None:
    catalog, now = a_house.library.parts.catalog, a_house.library.now()

    async def reserved() -> list[str]:
        outcomes = await asyncio.gather(
            *(catalog.uploads.reserve(_upload(now), at_most=50) for _ in range(60)),
            return_exceptions=True,
        )
        return [type(outcome).__name__ for outcome in outcomes]

    outcomes = a_house.do(reserved())
    assert sorted(outcomes) == ["NoneType"] * 50 + [TooManyUploads.__name__] * 10


def _upload(now: datetime, *, owner: str = "crowd", in_parts: bool = False) -> Upload:
    return Upload(
        name=keys.new_name(),
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


def test_reservations_that_nobody_uses_are_refused_past_the_limit_and_go(
    a_house: House, site: Site, client: httpx.Client
) -> None:
    limit = a_house.library.limits.max_open_uploads
    a_house.do(_plant(a_house, site.owner, limit - 1))
    last = reserve(client, b"x")
    assert last.status_code == 201
    for _ in range(3):
        refused = reserve(client, b"x")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_uploads")
    with a_house.site().client() as other:
        assert reserve(other, b"x").status_code == 201
    assert client.delete(f"/api/uploads/{last.json()['id']}").status_code == 204
    assert reserve(client, b"x").status_code == 201
    a_house.do(incoming(a_house, later=2 * HOUR).once())
    assert rows(a_house, site.owner) == {"aborted": limit + 1}
    assert reserve(client, b"x").status_code == 201
    a_house.do(incoming(a_house, later=4 * HOUR).once())
    assert rows(a_house, site.owner) == {}


async def _plant(house: House, owner: str, count: int) -> None:
    catalog, now = house.library.parts.catalog, house.library.now()
    for _ in range(count):
        await catalog.uploads.reserve(_upload(now, owner=owner), at_most=count)


def test_over_reservations_count_no_more_even_before_they_are_swept(a_house: House) -> None:
    catalog, now = a_house.library.parts.catalog, a_house.library.now()
    old = _upload(now - 2 * HOUR, owner="over")
    a_house.do(catalog.uploads.reserve(old, at_most=1))
    a_house.do(catalog.uploads.reserve(_upload(now, owner="over"), at_most=1))
    with pytest.raises(TooManyUploads):
        a_house.do(catalog.uploads.reserve(_upload(now, owner="over"), at_most=1))


def test_parts_that_nobody_finished_go_when_their_time_is_over(
    a_house: House, client: httpx.Client
) -> None:
    upload = InParts.reserved(client, b"x" * 1000, multipart=True)
    upload.create()
    upload.part(1)
    a_house.do(incoming(a_house, later=23 * HOUR).once())
    assert lies(a_house, upload.upload)
    a_house.do(incoming(a_house, later=25 * HOUR).once())
    assert not lies(a_house, upload.upload)


def test_what_is_sent_after_the_first_sweep_goes_with_the_second(
    a_house: House, site: Site, client: httpx.Client
) -> None:
    data = pictures.png()
    upload = reserve(client, data).json()
    a_house.do(incoming(a_house, later=2 * HOUR).once())
    answer = httpx.put(upload["url"], content=data, headers=upload["headers"])
    assert answer.status_code == 200
    a_house.do(incoming(a_house, later=2 * HOUR).once())
    assert lies(a_house, upload)
    a_house.do(incoming(a_house, later=4 * HOUR).once())
    assert not lies(a_house, upload)
    assert rows(a_house, site.owner) == {}


def test_a_completed_upload_is_known_for_a_day(
    a_house: House, site: Site, client: httpx.Client
) -> None:
    upload = sent(client, pictures.jpeg(70, 48))
    photo = complete(client, upload).json()
    a_house.do(incoming(a_house, later=23 * HOUR).once())
    assert complete(client, upload).json()["id"] == photo["id"]
    a_house.do(incoming(a_house, later=25 * HOUR).once())
    assert complete(client, upload).status_code == 404
    assert rows(a_house, site.owner) == {}
    assert client.get(f"/api/photos/{photo['id']}").status_code == 200


class _Stubborn(Multiparts):
    """The real store, but for one upload whose parts it won't let go."""

    def __init__(self, real: Multiparts, kept: str) -> None:
        self.__dict__.update(real.__dict__)
        self._kept = kept

    async def abort(self, key: str) -> int:
        if key == self._kept:
            raise StorageUnavailable
        return await super().abort(key)


def test_one_whose_parts_do_not_go_holds_up_no_other(a_house: House) -> None:
    library = a_house.library
    planted = [_upload(library.now(), owner="stubborn", in_parts=True) for _ in range(4)]
    for upload in planted:
        a_house.do(library.parts.catalog.uploads.reserve(upload, at_most=10))
    stubborn = _Stubborn(library.parts.multiparts, keys.incoming(planted[1].name))
    with pytest.raises(StorageUnavailable):
        a_house.do(incoming(a_house, later=4 * HOUR, multiparts=stubborn).once())
    assert rows(a_house, "stubborn") == {"aborted": 1}
    a_house.do(incoming(a_house, later=4 * HOUR).once())
    assert rows(a_house, "stubborn") == {}


class _Away(Storage):
    """A store that is away whenever something is to be deleted."""

    def __init__(self, real: Storage) -> None:
        self.__dict__.update(real.__dict__)

    async def delete(self, keys: Sequence[str]) -> None:
        raise StorageUnavailable from RuntimeError(f"{keys} stay")


def test_a_store_that_is_away_keeps_no_answer_and_is_cleared_by_the_job(
    a_house: House, site: Site, client: httpx.Client
) -> None:
    uploads = a_house.library.workings.uploads
    real, uploads._incoming._storage = (
        uploads._incoming._storage,
        _Away(a_house.library.parts.storage),
    )
    try:
        upload = sent(client, pictures.jpeg(71, 48))
        assert complete(client, upload).status_code == 201
        given_up = sent(client, pictures.jpeg(72, 48))
        assert client.delete(f"/api/uploads/{given_up['id']}").status_code == 204
        assert lies(a_house, upload)
        assert lies(a_house, given_up)
    finally:
        uploads._incoming._storage = real
    a_house.do(incoming(a_house, later=timedelta(0)).clear())
    assert not lies(a_house, upload)
    assert not lies(a_house, given_up)


def test_the_list_of_parts_is_no_longer_than_its_key(a_house: House, client: httpx.Client) -> None:
    one, other = (InParts.reserved(client, b"x", multipart=True) for _ in range(2))
    one.create()
    other.create()
    multiparts = a_house.library.parts.multiparts
    assert a_house.do(multiparts.begun(keys.incoming(one.upload["id"]))) == [one.upload_id]
    assert a_house.do(multiparts.abort(keys.incoming(one.upload["id"]))) == 1
    assert a_house.do(multiparts.abort(keys.incoming(one.upload["id"]))) == 0
    assert a_house.do(multiparts.begun(keys.incoming(other.upload["id"]))) == [other.upload_id]


def test_of_two_completions_that_read_other_bytes_the_first_to_end_makes_the_photo(
    a_house: House, site: Site, client: httpx.Client
) -> None:
    first, second = (pictures.png_with(pictures.png_chunk(b"saFe", b"%d" % n)) for n in (1, 2))
    upload, storage = sent(client, first), a_house.library.parts.storage
    read, over, fetch = threading.Event(), asyncio.Event(), storage.fetch

    async def fetched_and_held(*asked: Any, **more: Any) -> int:  # noqa: ANN401  as it came
        size = await fetch(*asked, **more)
        storage.fetch = fetch  # type: ignore[method-assign]  # the other one isn't held
        read.set()
        await over.wait()
        return size

    storage.fetch = fetched_and_held  # type: ignore[method-assign]  # the real one, but slower
    with ThreadPoolExecutor(1) as crowd:
        held = crowd.submit(complete, client, upload)
        assert read.wait(30)
        httpx.put(upload["url"], content=second, headers=upload["headers"]).raise_for_status()
        quick = complete(client, upload)
        a_house.loop.call_soon_threadsafe(over.set)
        late = held.result()
    assert (quick.status_code, late.status_code) == (201, 200)
    assert late.json() == quick.json()
    assert httpx.get(late.json()["original_url"]).content == second
    a_house.do(a_house.library.workings.intake.cleaned_up())
    assert [status for _, status, _ in a_house.rows(site.owner) if status != "deleted"] == ["ready"]

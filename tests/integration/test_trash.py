"""The trash: photos leave lists and counts, and come back; nothing else treats them differently."""

import io
from datetime import timedelta

import pytest

from safelight.errors import NotFound
from safelight.library import Library
from safelight.models import Order, Photo
from support import pictures


async def _noop(_connection: object) -> None:
    pass


async def _add(library: Library, width: int = 40) -> Photo:
    return (await library.add("ann", io.BytesIO(pictures.png(width, 30)))).photo


async def _listed(library: Library) -> set[int]:
    """Return the ids that every list of the owner has, and check the counts of months."""
    found = []
    for order in Order:
        page = await library.page("ann", order=order)
        found.append({id_ for id_, _ in page.photos})
        months = await library.months("ann", order=order)
        assert sum(month.count for month in months) == len(found[-1])
    assert found[0] == found[1]
    assert await library.backends.catalog.month_drift.find("ann") == []
    return found[0]


async def _mark(library: Library, *ids: int) -> list[int]:
    return await library.backends.catalog.trash.trash(
        "ann", ids, now=library.now(), in_transaction=_noop
    )


async def test_trashed_photo_leaves_lists_and_counts(memory_library: Library) -> None:
    library = memory_library
    kept, trashed = await _add(library, 40), await _add(library, 50)
    assert await _mark(library, trashed.id, 2**70) == [trashed.id]
    assert await _mark(library, trashed.id) == [], "it is there already"
    assert await _listed(library) == {kept.id}
    with pytest.raises(NotFound):
        await library.photo("ann", trashed.id)
    with pytest.raises(NotFound):
        await library.edit("ann", trashed.id, title="x")
    result = await library.shift_dates("ann", [kept.id, trashed.id], timedelta(hours=1))
    assert (result.done, result.missing) == ((kept.id,), (trashed.id,))
    trash = library.backends.catalog.trash
    assert [id_ for id_, _ in (await trash.page("ann", after=None, limit=9)).photos] == [trashed.id]
    assert [photo.id for photo in await trash.restore("ann", [kept.id, trashed.id])] == [trashed.id]
    assert await _listed(library) == {kept.id, trashed.id}


async def test_trash_is_paged_with_the_last_trashed_first(memory_library: Library) -> None:
    library = memory_library
    ids = [(await _add(library, 40 + n)).id for n in range(5)]
    for id_ in ids:
        await _mark(library, id_)
    trash = library.backends.catalog.trash
    first = await trash.page("ann", after=None, limit=3)
    rest = await trash.page("ann", after=first.next, limit=3)
    assert [id_ for id_, _ in (*first.photos, *rest.photos)] == ids[::-1]
    assert rest.next is None
    assert await trash.count("ann") == 5
    assert await trash.count("ben") == 0


async def test_duplicate_of_a_trashed_photo_restores_it(memory_library: Library) -> None:
    library = memory_library
    photo = await _add(library)
    await _mark(library, photo.id)
    again = await library.add("ann", io.BytesIO(pictures.png(40, 30)))
    assert (again.created, again.photo.id, again.photo.trashed_at) == (False, photo.id, None)
    assert await _listed(library) == {photo.id}


async def test_duplicate_declared_at_reservation_is_restored(memory_library: Library) -> None:
    library = memory_library
    photo = await _add(library)
    await _mark(library, photo.id)
    begun = await library.uploads.begin(
        "ann", size=photo.size, content_type="image/png", sha256=photo.sha256
    )
    assert getattr(begun, "photo", None) is not None
    assert await _listed(library) == {photo.id}


async def test_duplicate_in_a_transaction_restores_with_its_commit(memory_library: Library) -> None:
    library = memory_library
    photo = await _add(library)
    await _mark(library, photo.id)

    async def add_and_fail(connection: object) -> None:
        again = await library.add(
            "ann",
            io.BytesIO(pictures.png(40, 30)),
            within=connection,  # type: ignore[arg-type]
        )
        assert again.photo.trashed_at is None
        raise LookupError

    with pytest.raises(LookupError):
        await library.backends.catalog.transaction(add_and_fail)
    assert await _listed(library) == set(), "the transaction was rolled back"

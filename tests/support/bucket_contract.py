"""What every bucket must do: a test class inherits `BucketContract` and has a fixture `bucket`.

Each test has its own prefix, so that they can share one bucket.
"""

from uuid import uuid4

import pytest

from safelight.errors import NotFound, StorageUnavailable
from safelight.storage import Bucket
from safelight.storage.objects import PROBE_PREFIX
from support.counts import count_of

JPEG = "image/jpeg"


@pytest.fixture
def prefix() -> str:
    """Return a prefix that no other test uses."""
    return f"photos/{uuid4().hex}/"


async def _fetch(bucket: Bucket, key: str, *, size: int | None = None) -> tuple[int, bytes]:
    chunks: list[bytes] = []
    total = await bucket.fetch(key, chunks.append, size=size)
    return total, b"".join(chunks)


async def _fill(bucket: Bucket, prefix: str, *names: str) -> None:
    for name in names:
        await bucket.put(f"{prefix}{name}", name.encode(), content_type=JPEG)


async def _list(bucket: Bucket, prefix: str, *, start_after: str = "") -> list[str]:
    pages = bucket.list_objects(prefix, start_after=start_after)
    return [stored.key.removeprefix(prefix) async for page in pages for stored in page]


class BucketContract:
    """The tests. A subclass is collected; this class is not."""

    @pytest.mark.parametrize("content", [b"", b"bytes", b"large" * 1024 * 1024], ids=len)
    async def test_stored_bytes_are_fetched_unchanged(
        self, bucket: Bucket, prefix: str, content: bytes
    ) -> None:
        await bucket.put(f"{prefix}a", content, content_type=JPEG)
        assert await _fetch(bucket, f"{prefix}a") == (len(content), content)

    async def test_existing_object_is_not_replaced(self, bucket: Bucket, prefix: str) -> None:
        await bucket.put(f"{prefix}a", b"first", content_type=JPEG)
        await bucket.put(f"{prefix}a", b"other", content_type=JPEG)
        assert await _fetch(bucket, f"{prefix}a") == (5, b"first")

    async def test_existing_object_of_another_size_is_an_error(
        self, bucket: Bucket, prefix: str
    ) -> None:
        await bucket.put(f"{prefix}a", b"first", content_type=JPEG)
        with pytest.raises(StorageUnavailable):
            await bucket.put(f"{prefix}a", b"longer", content_type=JPEG)
        assert await _fetch(bucket, f"{prefix}a") == (5, b"first")
        assert count_of(bucket.errors, verb="put") == 1
        assert count_of(bucket.calls, verb="put") == 2

    async def test_existing_object_of_another_size_can_be_accepted(
        self, bucket: Bucket, prefix: str
    ) -> None:
        await bucket.put(f"{prefix}a", b"first", content_type=JPEG)
        await bucket.put(f"{prefix}a", b"longer", content_type=JPEG, same_size=False)
        assert await _fetch(bucket, f"{prefix}a") == (5, b"first")

    async def test_object_of_the_expected_size_is_fetched(
        self, bucket: Bucket, prefix: str
    ) -> None:
        await bucket.put(f"{prefix}a", b"bytes", content_type=JPEG)
        assert await _fetch(bucket, f"{prefix}a", size=5) == (5, b"bytes")

    async def test_object_of_another_size_is_not_read(self, bucket: Bucket, prefix: str) -> None:
        await bucket.put(f"{prefix}a", b"bytes", content_type=JPEG)
        assert await _fetch(bucket, f"{prefix}a", size=4) == (5, b"")

    async def test_read_returns_all_bytes(self, bucket: Bucket, prefix: str) -> None:
        content = b"large" * 1024 * 1024
        await bucket.put(f"{prefix}a", content, content_type=JPEG)
        chunks: list[bytes] = []
        assert await bucket.read(f"{prefix}a", chunks.append) == len(content)
        assert b"".join(chunks) == content

    async def test_size_is_in_bytes(self, bucket: Bucket, prefix: str) -> None:
        await bucket.put(f"{prefix}a", b"bytes", content_type=JPEG)
        assert await bucket.size(f"{prefix}a") == 5

    async def test_missing_object_has_no_size(self, bucket: Bucket, prefix: str) -> None:
        assert await bucket.size(f"{prefix}a") is None

    async def test_missing_object_is_not_found(self, bucket: Bucket, prefix: str) -> None:
        with pytest.raises(NotFound):
            await _fetch(bucket, f"{prefix}a")
        with pytest.raises(NotFound):
            await bucket.read(f"{prefix}a", lambda _: None)
        with pytest.raises(NotFound):
            await bucket.copy(f"{prefix}a", f"{prefix}b")

    async def test_deleted_objects_are_gone(self, bucket: Bucket, prefix: str) -> None:
        await _fill(bucket, prefix, "a", "b", "c")
        await bucket.delete([f"{prefix}a", f"{prefix}c"])
        assert await _list(bucket, prefix) == ["b"]

    async def test_deleting_a_missing_object_is_not_an_error(
        self, bucket: Bucket, prefix: str
    ) -> None:
        await _fill(bucket, prefix, "a")
        await bucket.delete([f"{prefix}a", f"{prefix}b"])
        await bucket.delete([f"{prefix}a"])
        assert await _list(bucket, prefix) == []

    async def test_deleting_a_prefix_keeps_all_other_objects(
        self, bucket: Bucket, prefix: str
    ) -> None:
        await _fill(bucket, prefix, "a/1", "a/2/3", "ab", "b")
        await bucket.delete_prefix(f"{prefix}a/")
        assert await _list(bucket, prefix) == ["ab", "b"]

    async def test_deleting_an_empty_prefix_is_not_an_error(
        self, bucket: Bucket, prefix: str
    ) -> None:
        await bucket.delete_prefix(prefix)

    async def test_deleting_half_a_folder_name_is_refused(
        self, bucket: Bucket, prefix: str
    ) -> None:
        await _fill(bucket, prefix, "a")
        with pytest.raises(ValueError, match="must end with '/'"):
            await bucket.delete_prefix(prefix[:-1])
        assert await _list(bucket, prefix) == ["a"]

    async def test_objects_are_listed_by_key_with_size_and_time(
        self, bucket: Bucket, prefix: str
    ) -> None:
        await _fill(bucket, prefix, "b", "a/ccc", "ab")
        (page,) = [page async for page in bucket.list_objects(prefix)]
        assert [(stored.key.removeprefix(prefix), stored.size) for stored in page] == [
            ("a/ccc", 5),
            ("ab", 2),
            ("b", 1),
        ]
        assert all(stored.modified_at.utcoffset() is not None for stored in page)

    async def test_listing_starts_after_a_key(self, bucket: Bucket, prefix: str) -> None:
        await _fill(bucket, prefix, "a", "b", "c")
        assert await _list(bucket, prefix, start_after=f"{prefix}a") == ["b", "c"]
        assert await _list(bucket, prefix, start_after=f"{prefix}aa") == ["b", "c"]
        assert await _list(bucket, prefix, start_after=f"{prefix}c") == []

    async def test_empty_prefix_has_no_pages(self, bucket: Bucket, prefix: str) -> None:
        assert [page async for page in bucket.list_objects(prefix)] == []

    async def test_folders_directly_below_a_prefix_are_listed(
        self, bucket: Bucket, prefix: str
    ) -> None:
        await _fill(bucket, prefix, "b/1", "a/1", "a/2", "a/c/3", "file")
        assert await bucket.list_folders(prefix) == [f"{prefix}a/", f"{prefix}b/"]

    async def test_copy_replaces_the_target_and_keeps_the_source(
        self, bucket: Bucket, prefix: str
    ) -> None:
        await _fill(bucket, prefix, "source", "target")
        await bucket.copy(f"{prefix}source", f"{prefix}target")
        assert await _fetch(bucket, f"{prefix}target") == (6, b"source")
        assert await _fetch(bucket, f"{prefix}source") == (6, b"source")

    async def test_bucket_takes_writes_and_can_be_listed(self, bucket: Bucket) -> None:
        await bucket.ping()
        await bucket.ping()
        assert await bucket.can_list()
        assert [page async for page in bucket.list_objects(PROBE_PREFIX)] == []
        # The second one only reads.
        assert [count_of(bucket.calls, verb=verb) for verb in ("put", "delete", "head")] == [1] * 3

    async def test_calls_are_counted_by_verb(self, bucket: Bucket, prefix: str) -> None:
        await bucket.put(f"{prefix}a", b"bytes", content_type=JPEG)
        await bucket.size(f"{prefix}a")
        await bucket.size(f"{prefix}b")
        for metric in (bucket.calls, bucket.seconds):
            assert count_of(metric) == 3
            assert count_of(metric, verb="put") == 1
            assert count_of(metric, verb="head") == 2
        assert count_of(bucket.errors) == 0

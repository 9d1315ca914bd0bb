"""A bucket and its multipart uploads in memory.

The contract tests of the project prove that the bucket behaves as one in SeaweedFS does.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from obstore.store import MemoryStore

from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage import Bucket, BucketConfig, MultipartUploads, UnfinishedUpload

CONFIG = BucketConfig(endpoint_url="http://127.0.0.1:9", bucket="safelight", region="us-east-1")
_KEY = "memory"
CREDENTIALS = StaticCredentials(Credentials(access_key=_KEY, secret_key=_KEY))
TIMEOUT = timedelta(seconds=60)


@dataclass(kw_only=True)
class MemoryObjects:
    """What a bucket in memory contains; the parts of unfinished uploads are by their number."""

    store: MemoryStore = field(default_factory=MemoryStore)
    unfinished: list[UnfinishedUpload] = field(default_factory=list)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    content_types: dict[str, str] = field(default_factory=dict)
    clock: Callable[[], datetime] = field(default=partial(datetime.now, UTC))

    def discard(self, key: str, s3_upload_id: str | None = None) -> int:
        """Forget the unfinished uploads to a key, or one of them, and return their number."""
        ended = [
            each
            for each in self.unfinished
            if each.key == key and s3_upload_id in {None, each.s3_upload_id}
        ]
        for each in ended:
            self.unfinished.remove(each)
            self.parts.pop(each.s3_upload_id, None)
        return len(ended)


def make_memory_bucket(
    objects: MemoryObjects | None = None, *, config: BucketConfig = CONFIG
) -> Bucket:
    """Make an empty bucket, or one with these objects."""
    store = (objects or MemoryObjects()).store
    return Bucket(config, CREDENTIALS, timeout=TIMEOUT, open_store=lambda *_: store)


class MemoryMultipartUploads(MultipartUploads):
    """Unfinished multipart uploads, listed and aborted without a store."""

    def __init__(
        self, objects: MemoryObjects | None = None, *, config: BucketConfig = CONFIG
    ) -> None:
        super().__init__(config, CREDENTIALS, timeout=TIMEOUT)
        self._objects = objects or MemoryObjects()

    @property
    def unfinished(self) -> list[UnfinishedUpload]:
        """The uploads that were started and neither completed nor aborted."""
        return self._objects.unfinished

    async def list_ids(self, key: str) -> list[str]:
        """Return the ids of the uploads to a key."""
        return [each.s3_upload_id for each in self.unfinished if each.key == key]

    async def abort(self, key: str) -> int:
        """Abort the uploads to a key, and return their number."""
        return self._objects.discard(key)

    async def abort_one(self, key: str, s3_upload_id: str) -> None:
        """Abort one upload."""
        self._objects.discard(key, s3_upload_id)

    async def list_unfinished(self, prefix: str) -> AsyncIterator[list[UnfinishedUpload]]:
        """List the uploads to keys below a prefix."""
        yield [each for each in self.unfinished if each.key.startswith(prefix)]

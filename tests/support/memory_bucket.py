"""A bucket and its multipart uploads in memory, for tests that need no real store.

`bucket_contract.py` proves that the bucket behaves as one in SeaweedFS does.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

from obstore.store import MemoryStore

from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage import Bucket, BucketConfig, MultipartUploads, UnfinishedUpload

CONFIG = BucketConfig(endpoint_url="http://127.0.0.1:9", bucket="safelight", region="us-east-1")
CREDENTIALS = StaticCredentials(Credentials(access_key="memory", secret_key="memory"))
TIMEOUT = timedelta(seconds=8)


def make_memory_bucket(store: MemoryStore | None = None) -> Bucket:
    """Make an empty bucket, or one with the objects of `store`."""
    objects = store or MemoryStore()
    return Bucket(CONFIG, CREDENTIALS, timeout=TIMEOUT, open_store=lambda *_: objects)


class MemoryMultipartUploads(MultipartUploads):
    """Unfinished multipart uploads, listed and aborted without a store."""

    def __init__(self) -> None:
        super().__init__(CONFIG, CREDENTIALS, timeout=TIMEOUT)
        self.unfinished: list[UnfinishedUpload] = []

    async def list_ids(self, key: str) -> list[str]:
        """Return the ids of the uploads to a key."""
        return [each.s3_upload_id for each in self.unfinished if each.key == key]

    async def abort(self, key: str) -> int:
        """Abort the uploads to a key, and return their number."""
        count = len(self.unfinished)
        self.unfinished = [each for each in self.unfinished if each.key != key]
        return count - len(self.unfinished)

    async def abort_one(self, key: str, s3_upload_id: str) -> None:
        """Abort one upload."""
        self.unfinished = [
            each for each in self.unfinished if (each.key, each.s3_upload_id) != (key, s3_upload_id)
        ]

    async def list_unfinished(self, prefix: str) -> AsyncIterator[list[UnfinishedUpload]]:
        """List the uploads to keys below a prefix."""
        yield [each for each in self.unfinished if each.key.startswith(prefix)]

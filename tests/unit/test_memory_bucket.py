"""The bucket in memory keeps the contract of a real one."""

import pytest

from safelight.storage import Bucket
from support.bucket_contract import BucketContract, prefix
from support.memory_bucket import make_memory_bucket

__all__ = ["prefix"]


@pytest.fixture
def bucket() -> Bucket:
    """Return an empty bucket."""
    return make_memory_bucket()


class TestMemoryBucket(BucketContract):
    """The contract, in memory."""

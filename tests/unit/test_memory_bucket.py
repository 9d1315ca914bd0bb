"""The bucket in memory keeps the contract of a real one."""

import pytest

from safelight.storage import Bucket
from safelight.testing.bucket import make_memory_bucket
from support.bucket_contract import BucketContract, prefix

__all__ = ["prefix"]


@pytest.fixture
def bucket() -> Bucket:
    """Return an empty bucket."""
    return make_memory_bucket()


class TestMemoryBucket(BucketContract):
    """The contract, in memory."""

"""A bucket in SeaweedFS fulfils the contract that tests with a bucket in memory rely on."""

from datetime import timedelta

import pytest

from safelight.engines import EmbeddedEngines
from safelight.signing.credentials import StaticCredentials
from safelight.signing.sigv4 import Credentials
from safelight.storage import Bucket, BucketConfig
from support.bucket_contract import BucketContract, prefix

__all__ = ["prefix"]


@pytest.fixture
def bucket(engines: EmbeddedEngines) -> Bucket:
    """Return the bucket of the embedded store."""
    config = BucketConfig(
        endpoint_url=engines.s3_endpoint_url, bucket=engines.bucket, region=engines.region
    )
    credentials = Credentials(access_key=engines.s3_access_key, secret_key=engines.s3_secret_key)
    return Bucket(config, StaticCredentials(credentials), timeout=timedelta(seconds=60))


class TestBucket(BucketContract):
    """The contract, in SeaweedFS."""

"""One bucket in any S3-compatible store. Nothing here knows about photos."""

from safelight.storage.bucket import Bucket, StoredObject
from safelight.storage.config import BucketConfig
from safelight.storage.multipart import MultipartUploads, UnfinishedUpload
from safelight.storage.rules import page_origins
from safelight.storage.setup import (
    SetupOutcome,
    SetupStep,
    bucket_exists,
    configure_bucket,
    ensure_bucket,
)
from safelight.storage.versions import find_outdated_store

__all__ = [
    "Bucket",
    "BucketConfig",
    "MultipartUploads",
    "SetupOutcome",
    "SetupStep",
    "StoredObject",
    "UnfinishedUpload",
    "bucket_exists",
    "configure_bucket",
    "ensure_bucket",
    "find_outdated_store",
    "page_origins",
]

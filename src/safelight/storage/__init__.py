"""One bucket in any S3-compatible store. Nothing here knows about photos."""

from safelight.storage.bucket import Bucket
from safelight.storage.config import BucketConfig
from safelight.storage.copying import ObjectVersion
from safelight.storage.features import StoreFeatures
from safelight.storage.multipart import MultipartUploads, UnfinishedUpload
from safelight.storage.objects import StoredObject
from safelight.storage.probe import (
    CheckOutcome,
    CheckResult,
    FeatureProbe,
    LinkProbe,
    ProbeReport,
    StoreProbe,
)
from safelight.storage.probe.versions import find_outdated_store, outdated_store
from safelight.storage.setup import (
    SetupOutcome,
    SetupStep,
    SetupTrial,
    bucket_exists,
    configure_bucket,
    ensure_bucket,
    page_origins,
    try_cors,
    try_privacy,
)
from safelight.storage.verification import verify_store, verify_transfers

__all__ = [
    "Bucket",
    "BucketConfig",
    "CheckOutcome",
    "CheckResult",
    "FeatureProbe",
    "LinkProbe",
    "MultipartUploads",
    "ObjectVersion",
    "ProbeReport",
    "SetupOutcome",
    "SetupStep",
    "SetupTrial",
    "StoreFeatures",
    "StoreProbe",
    "StoredObject",
    "UnfinishedUpload",
    "bucket_exists",
    "configure_bucket",
    "ensure_bucket",
    "find_outdated_store",
    "outdated_store",
    "page_origins",
    "try_cors",
    "try_privacy",
    "verify_store",
    "verify_transfers",
]

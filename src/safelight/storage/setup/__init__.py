"""Create and configure a bucket, and try what was configured."""

from safelight.storage.setup.configure import (
    SetupOutcome,
    SetupStep,
    bucket_exists,
    configure_bucket,
    ensure_bucket,
)
from safelight.storage.setup.rules import page_origins

__all__ = [
    "SetupOutcome",
    "SetupStep",
    "bucket_exists",
    "configure_bucket",
    "ensure_bucket",
    "page_origins",
]

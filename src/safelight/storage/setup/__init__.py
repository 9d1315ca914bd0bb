"""Create and configure a bucket, and try what was configured."""

from safelight.storage.setup.configure import (
    SetupOutcome,
    SetupStep,
    bucket_exists,
    configure_bucket,
    ensure_bucket,
)
from safelight.storage.setup.rules import page_origins
from safelight.storage.setup.trials import SetupTrial, try_cors, try_privacy

__all__ = [
    "SetupOutcome",
    "SetupStep",
    "SetupTrial",
    "bucket_exists",
    "configure_bucket",
    "ensure_bucket",
    "page_origins",
    "try_cors",
    "try_privacy",
]

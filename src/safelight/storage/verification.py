"""Verify at the start that a store of the operator's own works, and is private."""

import logging

from safelight.errors import SettingsError, StorageUnavailable
from safelight.settings import S3Settings
from safelight.signing.credentials import CredentialProvider
from safelight.storage.bucket import Bucket
from safelight.storage.config import BucketConfig
from safelight.storage.features import StoreFeatures
from safelight.storage.probe import CheckOutcome, LinkFailure, ProbeReport, StoreProbe
from safelight.storage.probe.versions import outdated_store
from safelight.storage.setup import ensure_bucket

_log = logging.getLogger(__name__)


async def verify_store(
    s3: S3Settings, config: BucketConfig, credentials: CredentialProvider
) -> StoreFeatures:
    """Write, read and delete an object, and return what the store supports.

    A missing bucket is created if the keys allow it. Raises SettingsError with the reason and what
    to do if anything is wrong, or if the bucket is public and that isn't accepted.
    """
    report = await _probe(s3, config, credentials)
    if report.is_bucket_missing:
        await ensure_bucket(config, credentials.current)
        report = await _probe(s3, config, credentials)
    if failure := report.failure:
        raise SettingsError(failure.text)
    for result in report.results:
        if result.outcome is CheckOutcome.WARNING:
            _log.warning("%s", result.text)
        elif result.outcome is CheckOutcome.NOTE:
            _log.info("%s", result.text)
    if warning := outdated_store(report.server):
        _log.warning("%s", warning)
    return report.features


async def verify_transfers(bucket: Bucket, config: BucketConfig) -> None:
    """Check that the client that transfers photos reaches the store, too: it has its own TLS.

    Raises SettingsError.
    """
    try:
        await bucket.ping()
    except StorageUnavailable as error:
        if isinstance(error.__cause__, LinkFailure):
            raise SettingsError(str(error.__cause__)) from error
        raise SettingsError(
            f"The store at {config.endpoint_url} can't be used for photos, although it answers:"
            f" {' '.join(str(error.__cause__).split())[:500]}"
        ) from error


async def _probe(
    s3: S3Settings, config: BucketConfig, credentials: CredentialProvider
) -> ProbeReport:
    probe = StoreProbe(config, credentials, timeout=s3.timeout)
    return await probe.run(allow_public=s3.allow_public)

"""Make the signers of a library: those of links and of direct uploads."""

from collections.abc import Callable
from datetime import datetime

from safelight.settings import Settings
from safelight.signing.credentials import CredentialProvider
from safelight.signing.links import LinkSigner
from safelight.signing.sigv4 import Credentials
from safelight.signing.uploads import UploadSigner
from safelight.storage import BucketConfig, StoreFeatures


def make_link_signer(
    settings: Settings,
    config: BucketConfig,
    endpoint: str,
    credentials: CredentialProvider,
    clock: Callable[[], datetime],
) -> LinkSigner:
    """Make the signer of links; `endpoint` is the store's URL for clients."""
    return LinkSigner(
        settings.links,
        credentials=credentials,
        clock=clock,
        endpoint=endpoint,
        bucket=config.bucket,
        region=config.region,
        style="virtual" if config.virtual_hosted else "path",
    )


def link_hosts(settings: Settings) -> frozenset[str]:
    """List the host names that links are signed for; `*` for all."""
    if settings.s3.endpoint_url or settings.s3.public_endpoint_url:
        return frozenset()
    return frozenset(host.strip("[]").lower() for host in settings.accepted_hosts)


def make_upload_signer(
    settings: Settings,
    config: BucketConfig,
    endpoint: str,
    credentials: Callable[[], Credentials],
    clock: Callable[[], datetime],
    *,
    features: StoreFeatures,
) -> UploadSigner:
    """Make the signer of direct uploads; `endpoint` is the store's URL for clients."""
    return UploadSigner(
        settings.uploads.signature_lifetime,
        credentials=credentials,
        clock=clock,
        endpoint=endpoint,
        bucket=config.bucket,
        region=config.region,
        style="virtual" if config.virtual_hosted else "path",
        checksums=lambda: features.checksums,
    )

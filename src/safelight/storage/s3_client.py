"""Build obstore's client for one bucket, and recognise a refusal of its credentials."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import BaseError, GenericError, PermissionDeniedError, UnauthenticatedError
from obstore.store import MemoryStore, S3Store

from safelight.signing.credentials import CredentialProvider
from safelight.storage.config import BucketConfig

if TYPE_CHECKING:
    from obstore.store import (  # these exist for type checkers only
        ClientConfig,
        S3Config,
        S3Credential,
    )

ObjectStore = S3Store | MemoryStore
StoreFactory = Callable[[BucketConfig, CredentialProvider, timedelta], ObjectStore]

_ALREADY_EXPIRED = datetime(1970, 1, 1, tzinfo=UTC)
_has_refusal_status = re.compile(r"status code: 40[013] ").search
"""AWS answers 400 to an expired token, and its response to HEAD doesn't give that as the reason."""


def open_s3_store(
    config: BucketConfig, credentials: CredentialProvider, timeout: timedelta
) -> S3Store:
    """Open an obstore client; `timeout` limits each request, and all its retries together."""

    def current_credentials() -> "S3Credential":
        credential = credentials.current
        return {
            "access_key_id": credential.access_key,
            "secret_access_key": credential.secret_key,
            "token": credential.session_token,
            # obstore caches credentials until they expire: expired ones are requested every time.
            "expires_at": _ALREADY_EXPIRED,
        }

    return S3Store(
        config.bucket,
        config=_obstore_config(config),
        # With static keys, obstore would add a session token that it finds in the environment.
        credential_provider=current_credentials,
        client_options=_client_options(config, timeout),
        retry_config={
            "max_retries": 3,
            "retry_timeout": timeout,
            "backoff": {
                "init_backoff": timedelta(milliseconds=50),
                "max_backoff": timedelta(seconds=1),
                "base": 2,
            },
        },
    )


def _client_options(config: BucketConfig, timeout: timedelta) -> "ClientConfig":
    options: ClientConfig = {
        "allow_http": config.ca_certificate is None,
        "connect_timeout": timedelta(seconds=1),
        "timeout": timeout,
    }
    if certificates := config.ca_certificate or config.authorities:
        options["root_certificate"] = certificates
    if config.is_local:
        # Without a proxy of its own, it would use that of the environment.
        options["proxy_url"] = config.endpoint_url
        options["proxy_excludes"] = urlsplit(config.endpoint_url).hostname or ""
    return options


def is_refusal(error: BaseError) -> bool:
    """Return whether the store may have refused the credentials, rather than the call itself."""
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return True
    return isinstance(error, GenericError) and _has_refusal_status(str(error)) is not None


def _obstore_config(config: BucketConfig) -> "S3Config":
    endpoint = config.endpoint_url
    if config.virtual_hosted:
        scheme, _, host = endpoint.partition("://")
        endpoint = f"{scheme}://{config.bucket}.{host}"  # obstore doesn't add the bucket itself
    options: S3Config = {
        "region": config.region,
        "endpoint": endpoint,
        "virtual_hosted_style_request": config.virtual_hosted,
    }
    if config.checksums:
        options["checksum_algorithm"] = "SHA256"
    # obstore always sends a checksum with the body of POST ?delete.
    options["disable_bulk_delete"] = not (config.checksums and config.bulk_deletes)
    return options

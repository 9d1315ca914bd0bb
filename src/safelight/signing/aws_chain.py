"""Fetch credentials from the AWS credential chain, by botocore: environment, profile, SSO, roles.

Every fetch walks the whole chain. botocore's own refresh starts 15 minutes before the credentials
expire, too late for links, and a new walk also reads a profile or token file that was rewritten.
botocore is imported only here, and only when the chain is used.
"""

import logging
from typing import Any

from safelight.errors import SettingsError
from safelight.http_clients import authorities_file
from safelight.signing.sigv4 import Credentials

_log = logging.getLogger(__name__)

_OR_SETTINGS = "or set SAFELIGHT_S3__ACCESS_KEY and SAFELIGHT_S3__SECRET_KEY."
_METADATA = "iam-role"
"""botocore's name for the machine's metadata service."""


def fetch_credentials(*, region: str, authorities: str | None = None) -> Credentials:
    """Return the chain's credentials; blocks, for seconds if a service doesn't answer.

    `region` is that of the STS endpoint unless the chain's own settings name one. Certificate
    `authorities` (PEM) are trusted besides the usual ones. Raises SettingsError with what to do
    about it.
    """
    try:
        with authorities_file(authorities) as file:
            source = _open_session(region, file).get_credentials()
            credentials = _freeze(source) if source else None
    except Exception as error:  # botocore passes on any error of its sources
        raise SettingsError(_advice(error)) from error
    if credentials is None:
        raise SettingsError(
            "No credentials for the object store were found: give this machine a role or a"
            f" profile (see docs/credentials.md), {_OR_SETTINGS}"
        )
    _log.debug("using credentials from %s", source.method)
    return credentials


def _freeze(source: Any) -> Credentials:
    """Read key, secret and token together: between single reads they could be refreshed."""
    keys = source.get_frozen_credentials()
    # The expiry isn't public, but the AWS CLI's `export-credentials` reads it too.
    return Credentials(
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        session_token=keys.token or None,
        expires_at=getattr(source, "_expiry_time", None),
    )


def _open_session(region: str, ca_file: str | None) -> Any:
    from botocore.config import Config
    from botocore.session import Session

    session = Session()
    if session.get_config_variable("region") is None:
        session.set_config_variable("region", region)
    if ca_file and session.get_config_variable("ca_bundle") is None:
        session.set_config_variable("ca_bundle", ca_file)
    client_config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})
    session.set_default_client_config(client_config)
    resolver = session.get_component("credential_provider")
    resolver.insert_after(_METADATA, _make_metadata_provider(session))
    resolver.remove(_METADATA)
    return session


def _make_metadata_provider(session: Any) -> Any:
    """Make a provider for the metadata service that reports the true expiry.

    botocore's own extends an expiry that is less than 25 minutes away by some minutes, assuming
    that the service does too; a link can't rely on that. A negative refresh window leaves the
    expiry alone until it has passed.
    """
    from botocore.credentials import InstanceMetadataProvider
    from botocore.utils import InstanceMetadataFetcher, resolve_imds_endpoint_mode

    variable = session.get_config_variable
    return InstanceMetadataProvider(
        InstanceMetadataFetcher(
            timeout=variable("metadata_service_timeout"),
            num_attempts=variable("metadata_service_num_attempts"),
            user_agent=session.user_agent(),
            config={
                "ec2_metadata_service_endpoint": variable("ec2_metadata_service_endpoint"),
                "ec2_metadata_service_endpoint_mode": resolve_imds_endpoint_mode(session),
                "ec2_metadata_v1_disabled": variable("ec2_metadata_v1_disabled"),
                "ec2_credential_refresh_window": -600,
            },
        )
    )


def _advice(error: Exception) -> str:
    """Return one line that says what to do about an error of the chain."""
    from botocore import exceptions

    if isinstance(error, exceptions.ProfileNotFound):
        return f"The AWS profile does not exist: correct AWS_PROFILE, {_OR_SETTINGS}"
    if isinstance(error, exceptions.SSOError):
        return f"The AWS sign-in has expired: run 'aws sso login', {_OR_SETTINGS}"
    reason = " ".join(str(error).split()).rstrip(".")
    return f"The AWS credential chain failed ({reason}): fix that, {_OR_SETTINGS}"

"""What the AWS credential chain issues, by botocore: environment, profile, SSO, roles.

Each time the chain is walked from its beginning. botocore's own refresh begins 15 minutes before
the end, when it is too late for links; and walking anew also sees a profile or a token file that
was rewritten. botocore is imported here alone, and only when asked.
"""

import logging
from typing import Any

from safelight.errors import SettingsError
from safelight.sigv4 import Credentials

_log = logging.getLogger(__name__)

_OR_SETTINGS = "or set SAFELIGHT_S3__ACCESS_KEY and SAFELIGHT_S3__SECRET_KEY."
_METADATA = "iam-role"
"""botocore's name for the machine's metadata service."""


def issue(*, region: str) -> Credentials:
    """Walk the chain; blocking, for seconds if a service doesn't answer.

    `region` is where STS is asked, if the chain's own settings name none. Raises SettingsError,
    which says what to do.
    """
    try:
        found = _session(region).get_credentials()
        credentials = _frozen(found) if found else None
    except Exception as error:  # botocore lets through whatever its sources raise
        raise SettingsError(_advice(error)) from error
    if credentials is None:
        raise SettingsError(
            "There are no credentials for the store: give this machine a role or a profile (see"
            f" docs/credentials.md), {_OR_SETTINGS}"
        )
    _log.debug("credentials come from %s", found.method)
    return credentials


def _frozen(found: Any) -> Credentials:  # noqa: ANN401  botocore has no types
    """Read them all at once: asking for one by one may give those of two issues."""
    keys = found.get_frozen_credentials()
    # The end isn't public, but the AWS CLI's `export-credentials` reads it too.
    return Credentials(
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        session_token=keys.token or None,
        expires_at=getattr(found, "_expiry_time", None),
    )


def _session(region: str) -> Any:  # noqa: ANN401  botocore has no types
    from botocore.config import Config  # noqa: PLC0415  long to import, and rarely needed
    from botocore.session import Session  # noqa: PLC0415

    session = Session()
    if session.get_config_variable("region") is None:
        session.set_config_variable("region", region)
    patience = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})
    session.set_default_client_config(patience)
    resolver = session.get_component("credential_provider")
    resolver.insert_after(_METADATA, _metadata(session))
    resolver.remove(_METADATA)
    return session


def _metadata(session: Any) -> Any:  # noqa: ANN401  botocore has no types
    """Make a provider for the metadata service that tells the truth about the end.

    botocore's own moves an end that is less than 25 minutes away to some minutes later, hoping
    that the store does so too: a link must not. A window below nothing leaves an end alone
    until it has passed.
    """
    from botocore.credentials import InstanceMetadataProvider  # noqa: PLC0415
    from botocore.utils import InstanceMetadataFetcher, resolve_imds_endpoint_mode  # noqa: PLC0415

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
    """Say in one line what to do about it."""
    from botocore import exceptions  # noqa: PLC0415

    if isinstance(error, exceptions.ProfileNotFound):
        return f"There is no such AWS profile: correct AWS_PROFILE, {_OR_SETTINGS}"
    if isinstance(error, exceptions.SSOError):
        return f"The AWS sign-in is over: run 'aws sso login', {_OR_SETTINGS}"
    said = " ".join(str(error).split()).rstrip(".")
    return f"The AWS chain gives no credentials ({said}): mend that, {_OR_SETTINGS}"

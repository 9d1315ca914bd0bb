"""Settings for the object store."""

import re
from datetime import timedelta
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from safelight.settings.validators import Group, Secret, is_ip_address, parse_endpoint, reveal

_HEADER_VALUE = re.compile(r"[ -~]+")


class S3Settings(Group):
    """Settings for the object store."""

    endpoint_url: str | None = None
    """The store's address for the app. None: the embedded SeaweedFS."""
    public_endpoint_url: str | None = None
    """The store's address in links. None: `endpoint_url`, or with the embedded store, the host name
    of the request."""
    bucket: str = Field(default="safelight", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{1,64}$")
    access_key: str | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None
    signing_access_key: str | None = None
    """Long-lived keys used only to sign links. None: the keys above."""
    signing_secret_key: Secret | None = None
    addressing_style: Literal["path", "virtual"] = "path"
    allow_public: bool = False
    """Start even if the store lets anyone read photos without a valid signature."""
    conditional_writes: bool = True
    """Write with ``If-None-Match: *`` if the store supports it. False: never; keys are random and
    never reused."""
    checksums: bool = True
    """Send x-amz-checksum-sha256 if the store supports it. False: never; then only TLS, or a store
    that checks the signed SHA-256 of the body, detects damaged uploads; and objects are deleted one
    at a time, since batch deletion needs a checksum."""
    timeout: timedelta = Field(
        default=timedelta(seconds=8), gt=timedelta(0), le=timedelta(seconds=60)
    )
    """Longest time for one call to the store; after that, the response is 503."""

    @field_validator("bucket")
    @classmethod
    def _check_bucket(cls, bucket: str) -> str:
        if ".." in bucket:
            raise ValueError("a bucket name can't contain two dots in a row")
        return bucket

    _check_urls = field_validator("endpoint_url", "public_endpoint_url")(parse_endpoint)

    @field_validator("access_key", "session_token", "signing_access_key")
    @classmethod
    def _check_header_value(cls, value: Secret | None) -> Secret | None:
        # Otherwise the error of the HTTP client would contain it.
        if value is not None and not _HEADER_VALUE.fullmatch(reveal(value)):
            raise ValueError("it may contain only printable ASCII characters")
        return value

    @model_validator(mode="after")
    def _check_key_pairs(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("set both of ACCESS_KEY and SECRET_KEY, or neither")
        if self.session_token is not None and self.access_key is None:
            raise ValueError("SESSION_TOKEN also needs ACCESS_KEY and SECRET_KEY")
        if (self.signing_access_key is None) != (self.signing_secret_key is None):
            raise ValueError("set both of SIGNING_ACCESS_KEY and SIGNING_SECRET_KEY, or neither")
        return self

    @model_validator(mode="after")
    def _check_endpoint_is_set(self) -> Self:
        external_only = {
            "ACCESS_KEY": self.access_key is not None,
            "SIGNING_ACCESS_KEY": self.signing_access_key is not None,
            "ADDRESSING_STYLE=virtual": self.addressing_style == "virtual",
        }
        names = [f"SAFELIGHT_S3__{name}" for name, is_set in external_only.items() if is_set]
        if names and self.endpoint_url is None:
            # Otherwise photos would silently go to the embedded store.
            raise ValueError(
                f"{' and '.join(names)} can't be used with the embedded store: set"
                " SAFELIGHT_S3__ENDPOINT_URL (for AWS: https://s3.REGION.amazonaws.com)"
            )
        return self

    @model_validator(mode="after")
    def _check_virtual_hosts(self) -> Self:
        endpoints = filter(None, (self.endpoint_url, self.public_endpoint_url))
        hosts = [urlsplit(endpoint).hostname or "" for endpoint in endpoints]
        if self.addressing_style == "virtual" and any(map(is_ip_address, hosts)):
            raise ValueError(
                "ADDRESSING_STYLE=virtual needs a host name, not an IP address: change the"
                " endpoint, or set ADDRESSING_STYLE=path"
            )
        return self

"""The object store."""

from datetime import timedelta
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from safelight.settings.values import Group, http_url, is_address


class S3Settings(Group):
    """The object store."""

    endpoint_url: str | None = None
    """Where the app reaches the store. None: the embedded SeaweedFS."""
    public_endpoint_url: str | None = None
    """Where those who hold a link reach the store. None: as `endpoint_url`; with the embedded
    store, the host name that the request came to."""
    bucket: str = Field(default="safelight", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{1,64}$")
    access_key: str | None = None
    secret_key: SecretStr | None = None
    session_token: SecretStr | None = None
    signing_access_key: str | None = None
    """Long-lived keys that sign links and do nothing else. None: those above."""
    signing_secret_key: SecretStr | None = None
    addressing_style: Literal["path", "virtual"] = "path"
    conditional_writes: bool = True
    """Whether the store knows ``If-None-Match: *`` on PUT. False: an object is written without
    asking whether something has its key, which is random and never used twice."""
    checksums: bool = True
    """Whether the store takes x-amz-checksum-sha256. False: what is damaged on the way is noticed
    only by TLS, or by a store that compares the body with its signed SHA-256; and objects are
    deleted one by one, since a list of them would need a checksum."""
    timeout: timedelta = Field(
        default=timedelta(seconds=8), gt=timedelta(0), le=timedelta(seconds=60)
    )
    """The longest that one call to the store may take before the answer is 503."""

    _endpoints = field_validator("endpoint_url", "public_endpoint_url")(http_url)

    @model_validator(mode="after")
    def _keys_come_in_pairs(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("set both of ACCESS_KEY and SECRET_KEY, or neither")
        if self.session_token is not None and self.access_key is None:
            raise ValueError("SESSION_TOKEN needs ACCESS_KEY and SECRET_KEY beside it")
        if (self.signing_access_key is None) != (self.signing_secret_key is None):
            raise ValueError("set both of SIGNING_ACCESS_KEY and SIGNING_SECRET_KEY, or neither")
        return self

    @model_validator(mode="after")
    def _what_is_for_a_store_of_ones_own_comes_with_its_endpoint(self) -> Self:
        given = {
            "ACCESS_KEY": self.access_key is not None,
            "SIGNING_ACCESS_KEY": self.signing_access_key is not None,
            "ADDRESSING_STYLE=virtual": self.addressing_style == "virtual",
        }
        useless = [name for name, is_given in given.items() if is_given]
        if useless and self.endpoint_url is None:
            # Or the photos would silently go to the embedded store.
            raise ValueError(
                f"{' and '.join(useless)} can't be used with the embedded store: set"
                " SAFELIGHT_S3__ENDPOINT_URL (for AWS: https://s3.REGION.amazonaws.com)"
            )
        return self

    @model_validator(mode="after")
    def _a_bucket_stands_before_a_name(self) -> Self:
        endpoints = filter(None, (self.endpoint_url, self.public_endpoint_url))
        hosts = [urlsplit(endpoint).hostname or "" for endpoint in endpoints]
        if self.addressing_style == "virtual" and any(map(is_address, hosts)):
            raise ValueError(
                "ADDRESSING_STYLE=virtual can't put the bucket before an IP address: give the"
                " endpoint by name, or set ADDRESSING_STYLE=path"
            )
        return self

"""Where a bucket is, and with which keys it is reached."""

from dataclasses import dataclass
from typing import Self

from safelight.settings import S3Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What it takes to reach a bucket."""

    endpoint_url: str | None
    bucket: str
    region: str
    access_key: str
    secret_key: str
    session_token: str | None = None
    virtual_hosted: bool = False

    def __repr__(self) -> str:
        """Name the bucket and keep the keys to itself."""
        return f"Access(endpoint_url={self.endpoint_url!r}, bucket={self.bucket!r})"

    @classmethod
    def from_settings(cls, s3: S3Settings) -> Self:
        """Take long-lived keys, or a session's, out of the settings."""
        return cls(
            endpoint_url=s3.endpoint_url,
            bucket=s3.bucket,
            region=s3.region,
            access_key=s3.access_key or "",
            secret_key=s3.secret_key.get_secret_value() if s3.secret_key else "",
            session_token=s3.session_token.get_secret_value() if s3.session_token else None,
            virtual_hosted=s3.addressing_style == "virtual",
        )

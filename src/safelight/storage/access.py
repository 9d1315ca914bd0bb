"""Where a bucket is."""

from dataclasses import dataclass
from typing import Self

from safelight.settings import S3Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What it takes to use a bucket, but the keys."""

    endpoint_url: str
    bucket: str
    region: str
    virtual_hosted: bool = False
    conditional_writes: bool = True
    """Whether it knows ``If-None-Match: *`` on PUT."""
    checksums: bool = True
    """Whether it takes x-amz-checksum-sha256."""

    @classmethod
    def from_settings(cls, s3: S3Settings, *, endpoint_url: str) -> Self:
        """Take from the settings where it is; `endpoint_url` is theirs, or an engine's."""
        return cls(
            endpoint_url=endpoint_url,
            bucket=s3.bucket,
            region=s3.region,
            virtual_hosted=s3.addressing_style == "virtual",
            conditional_writes=s3.conditional_writes,
            checksums=s3.checksums,
        )

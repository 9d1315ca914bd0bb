"""The address and capabilities of a bucket."""

from dataclasses import dataclass, field
from typing import Self

from safelight.http_clients import on_loopback
from safelight.settings import S3Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketConfig:
    """The address of a bucket, and the optional S3 features that its store supports."""

    endpoint_url: str
    bucket: str
    region: str
    virtual_hosted: bool = False
    conditional_writes: bool = True
    """Whether the store supports ``If-None-Match: *`` on PUT."""
    checksums: bool = True
    """Whether the store supports x-amz-checksum-sha256."""
    bulk_deletes: bool = True
    """Whether the store supports deleting many objects in one request."""
    ca_certificate: str | None = field(default=None, repr=False)
    """The only authority of the store's certificate, in PEM. None: the usual ones."""
    authorities: str | None = field(default=None, repr=False)
    """Certificate authorities to trust besides the usual ones, in PEM."""

    @classmethod
    def from_settings(
        cls, s3: S3Settings, *, endpoint_url: str, authorities: str | None = None
    ) -> Self:
        """Read the settings; `endpoint_url` is theirs, or that of the embedded store."""
        return cls(
            endpoint_url=endpoint_url,
            bucket=s3.bucket,
            region=s3.region,
            virtual_hosted=s3.addressing_style == "virtual",
            conditional_writes=s3.conditional_writes,
            checksums=s3.checksums,
            authorities=authorities,
        )

    @property
    def is_local(self) -> bool:
        """Whether the store is on this machine, and so never reached through a proxy."""
        return on_loopback(self.endpoint_url)

"""Limits for uploads and connections, and settings for direct uploads."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from safelight.settings.validators import Group, MiB


class LimitSettings(Group):
    """Limits for uploads and connections."""

    max_form_bytes: int = Field(default=5 * MiB, ge=1)
    """Size of a photo that is uploaded through the app."""
    max_direct_bytes: int = Field(default=200 * MiB, ge=1)
    """Size of a photo that is uploaded straight to the bucket."""
    max_open_uploads: int = Field(default=1_000, ge=1)
    """Open direct uploads per owner; the next one gets 429."""
    max_open_bytes: int = Field(default=10 * 1024 * MiB, ge=1)
    """Bytes of an owner's open direct uploads, and of aborted ones while a signature can still
    write them; beyond that, the next one gets 429."""
    max_form_overhead: int = Field(default=64 * 1024, ge=1024)
    """The rest of a form upload's body: other fields, part headers and boundaries."""
    max_pixels: int = Field(default=210_000_000, ge=1)
    """Width times height of one frame, from the header."""
    max_frames: int = Field(default=1_000, ge=1)
    """Frames of an animation."""
    max_total_pixels: int = Field(default=500_000_000, ge=1)
    """Pixels per frame times the number of frames."""
    decode_seconds: timedelta = Field(
        default=timedelta(seconds=20), gt=timedelta(0), le=timedelta(minutes=10)
    )
    """CPU time of one decode of up to 50 megapixels; larger photos get more in proportion. It may
    take one second more of wall-clock time, and as long as other processes hold the processors."""
    decode_memory: int = Field(default=5 * 1024 * MiB, ge=256 * MiB)
    """Address space that a decoder process may have, for the photos that need that much."""
    max_waiting: int = Field(default=256, ge=1)
    """Uploads that may wait for a decoder; the next one gets 503 `busy`."""
    max_spooled_bytes: int = Field(default=2 * 1024 * MiB, ge=1)
    """Bytes on disk of all uploads in progress; beyond that, uploads get 503 `busy`."""
    idle_timeout: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0))
    """Longest pause within a request body."""
    body_timeout: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0))
    """Longest time for a whole request body."""
    min_rate: int = Field(default=512, ge=0)
    """Minimum average bytes per second of a body, after `idle_timeout`."""
    max_connections: int = Field(default=2_000, ge=16)
    """Connections in total, where the limit of open files allows as many."""
    max_connections_per_address: int = Field(default=256, ge=1)
    """Connections of one address, or one IPv6 /64, that is not a trusted proxy."""

    @model_validator(mode="after")
    def _check_spool(self) -> Self:
        if self.max_spooled_bytes < max(self.max_form_bytes, self.max_direct_bytes):
            raise ValueError(
                "MAX_SPOOLED_BYTES must be at least MAX_FORM_BYTES and MAX_DIRECT_BYTES, or"
                " uploads of the largest allowed photos always get 503"
            )
        if self.max_open_bytes < self.max_direct_bytes:
            raise ValueError(
                "MAX_OPEN_BYTES must be at least MAX_DIRECT_BYTES, or direct uploads of the largest"
                " allowed photos always get 429"
            )
        return self


class UploadSettings(Group):
    """Uploads straight to the bucket."""

    signature_lifetime: timedelta = Field(
        default=timedelta(minutes=15), ge=timedelta(minutes=1), le=timedelta(hours=12)
    )
    """How long a signature is valid; the request must begin by then."""
    reservation_lifetime: timedelta = Field(
        default=timedelta(hours=24), ge=timedelta(minutes=5), le=timedelta(days=7)
    )
    """How long a multipart upload can be resumed and completed."""
    part_size: int = Field(default=8 * MiB, ge=5 * MiB, le=1024 * MiB)
    """Bytes of each part except the last. S3's minimum is 5 MiB."""
    parts_above: int = Field(default=16 * MiB, ge=0, le=1024 * MiB)
    """Uploads of more bytes are sent in parts."""

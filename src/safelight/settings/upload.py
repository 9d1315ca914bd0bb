"""What an upload may cost, and how it goes straight to the bucket."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from safelight.settings.values import Group, MiB


class LimitSettings(Group):
    """What one upload may cost."""

    max_form_bytes: int = Field(default=5 * MiB, ge=1)
    """The photo, when its bytes pass through the app."""
    max_direct_bytes: int = Field(default=50 * MiB, ge=1)
    """The photo, when its client sends it straight to the bucket."""
    max_open_uploads: int = Field(default=1_000, ge=1)
    """Reservations for such uploads that an owner may have at once; the next gets 429."""
    max_form_overhead: int = Field(default=64 * 1024, ge=1024)
    """Everything else in the body of a form upload: other fields, part headers, boundaries."""
    max_pixels: int = Field(default=120_000_000, ge=1)
    """Width times height, from the header, of one frame."""
    max_frames: int = Field(default=1_000, ge=1)
    max_total_pixels: int = Field(default=500_000_000, ge=1)
    """Pixels of a frame times frames."""
    decode_seconds: timedelta = Field(
        default=timedelta(seconds=20), gt=timedelta(0), le=timedelta(minutes=10)
    )
    """CPU time of one decode; the child is killed a little later by the clock on the wall."""
    decode_memory: int = Field(default=3 * 1024 * MiB, ge=256 * MiB)
    """Address space of a child that decodes."""
    max_waiting: int = Field(default=256, ge=1)
    """Uploads that may wait for a child; the next gets 503 `busy`."""
    max_spooled_bytes: int = Field(default=1024 * MiB, ge=1)
    """Bytes of all uploads under way, on disk; past that, 503 `busy`."""
    idle_timeout: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0))
    """The longest silence of a client while its body arrives."""
    body_timeout: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0))
    """The longest that a whole body may take."""
    min_rate: int = Field(default=512, ge=0)
    """Bytes a second that a body must bring on average, once `idle_timeout` has gone by."""

    @model_validator(mode="after")
    def _the_largest_photo_can_be_spooled(self) -> Self:
        if self.max_spooled_bytes < max(self.max_form_bytes, self.max_direct_bytes):
            raise ValueError(
                "MAX_SPOOLED_BYTES must be no less than MAX_FORM_BYTES and MAX_DIRECT_BYTES: else"
                " the largest photos that are allowed always get 503"
            )
        return self


class UploadSettings(Group):
    """Uploads that go from the client straight to the bucket."""

    signature_lifetime: timedelta = Field(
        default=timedelta(minutes=15), ge=timedelta(minutes=1), le=timedelta(hours=12)
    )
    """How long a signature can be used: a request has to begin by then, not to end."""
    reservation_lifetime: timedelta = Field(
        default=timedelta(hours=24), ge=timedelta(minutes=5), le=timedelta(days=7)
    )
    """How long an upload in parts can be resumed and completed."""
    part_size: int = Field(default=8 * MiB, ge=5 * MiB, le=1024 * MiB)
    """Bytes of each part but the last; S3 takes no smaller ones than 5 MiB."""
    parts_above: int = Field(default=16 * MiB, ge=0, le=1024 * MiB)
    """An upload of more bytes comes in parts."""

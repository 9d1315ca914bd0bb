"""Direct uploads as values: what was reserved for one, and how it is cut into parts. No I/O."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from safelight.photo import Caption


class UploadStatus(StrEnum):
    """Where a direct upload stands."""

    OPEN = "open"
    """Its client may send bytes, by the signatures it was given."""
    COMPLETED = "completed"
    """It became a photo, or turned out to be one that was there."""
    ABORTED = "aborted"
    """Its client gave it up, its time ran out, or its bytes were refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What was reserved: `size` bytes of a declared type, with this SHA-256 if one was told.

    `name` is random, names the object (`keys.incoming`), and is the id that clients see.
    `part_size` is None for an upload in one request. No signature for it lives past `expires_at`.
    `photo_id` is of the photo that it became.
    """

    name: str
    owner: str
    status: UploadStatus
    caption: Caption
    content_type: str
    size: int
    sha256: str | None
    part_size: int | None
    created_at: datetime
    expires_at: datetime
    photo_id: int | None = None

    @property
    def parts(self) -> int:
        """In how many parts it comes; 0 if it comes in one request."""
        return -(-self.size // self.part_size) if self.part_size else 0

    def part_length(self, number: int) -> int:
        """Tell how many bytes a part has: 1 is the first. ValueError for one that isn't there."""
        if self.part_size is None or not 1 <= number <= self.parts:
            raise ValueError("there is no such part")
        return min(self.part_size, self.size - (number - 1) * self.part_size)

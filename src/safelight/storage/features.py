"""The optional S3 features of one store: what it has refused once is not used again."""

import logging
from dataclasses import dataclass, replace
from typing import Final, Literal, Self

from safelight.storage.config import BucketConfig

_log = logging.getLogger(__name__)

MAX_DELETE_BATCH = 1000
"""Keys in one bulk delete: S3's maximum."""
_MIN_DELETE_BATCH = 8

Feature = Literal[
    "conditional_writes", "checksums", "bulk_deletes", "upload_lists", "upload_prefixes"
]

WRITES_WITHOUT: Final[tuple[tuple[Feature, ...], ...]] = (
    ("conditional_writes",),
    ("checksums",),
    ("conditional_writes", "checksums"),
)
"""The features to write without, in turn, when a store refuses a write."""

_CONSEQUENCES: Final[dict[Feature, str]] = {
    "conditional_writes": (
        "The store doesn't support conditional writes (If-None-Match), so they are not used: keys"
        " are random and never reused, so nothing is overwritten."
    ),
    "checksums": (
        "The store doesn't support checksums (x-amz-checksum-sha256), so they are not used: only"
        " TLS, or a store that compares the signed SHA-256 of a body, detects damage in transit."
    ),
    "bulk_deletes": (
        "The store doesn't support bulk deletes, so objects are deleted one at a time."
    ),
    "upload_lists": (
        "The store can't list unfinished multipart uploads, so Safelight can't delete those that"
        " clients abandon: have the store delete them after a day (a lifecycle rule)."
    ),
    "upload_prefixes": (
        "The store doesn't list unfinished multipart uploads by prefix, so all those of the bucket"
        " are listed."
    ),
}


@dataclass(slots=True)
class StoreFeatures:
    """What a store supports, as far as is known. One instance is shared by all that use a bucket.

    `delete_batch` is the number of keys in one bulk delete that this store manages in time.
    """

    conditional_writes: bool = True
    """``If-None-Match: *`` on PUT."""
    checksums: bool = True
    """x-amz-checksum-sha256."""
    bulk_deletes: bool = True
    """POST ?delete, with a response that can be read."""
    upload_lists: bool = True
    """A list of unfinished multipart uploads."""
    upload_prefixes: bool = True
    """That list, for a prefix."""
    folders: bool = False
    """Whether it lists folders of its own, as empty objects with keys that end with '/'."""
    delete_batch: int = MAX_DELETE_BATCH

    @classmethod
    def of(cls, config: BucketConfig) -> Self:
        """Return the features that the settings permit."""
        return cls(conditional_writes=config.conditional_writes, checksums=config.checksums)

    def limit(self, config: BucketConfig) -> BucketConfig:
        """Return the config without the features that the store doesn't support."""
        return replace(
            config,
            conditional_writes=self.conditional_writes,
            checksums=self.checksums,
            bulk_deletes=self.bulk_deletes,
        )

    def without(self, *features: Feature) -> Self:
        """Return a copy with these features disabled."""
        return replace(self, **dict.fromkeys(features, False))

    def disable(self, feature: Feature, reason: object) -> None:
        """Stop using a feature; log a warning with the store's response the first time."""
        if getattr(self, feature):
            setattr(self, feature, False)
            _log.warning("%s The store's response: %s", _CONSEQUENCES[feature], reason)

    def adjust_delete_batch(self, count: int, seconds: float, limit: float) -> None:
        """Adjust `delete_batch` after deleting `count` objects, or after a timeout at `limit`."""
        if count <= _MIN_DELETE_BATCH:
            return
        if seconds >= limit:
            self.delete_batch = max(count // 4, _MIN_DELETE_BATCH)
        elif seconds > limit / 2:
            self.delete_batch = max(int(count * limit / 2 / seconds), _MIN_DELETE_BATCH)
        elif count == self.delete_batch and seconds < limit / 8:
            self.delete_batch = min(count * 2, MAX_DELETE_BATCH)

"""The catalog's tables for SQLAlchemy.

Their names begin with ``safelight_``, since they may share a host application's database. The
migrations create them; a test compares the two.
"""

from safelight.catalog.tables.albums import album_photos, albums
from safelight.catalog.tables.changes import change_counts, changes
from safelight.catalog.tables.clients import (
    adoptions,
    codes,
    downloads,
    installation,
    renderings,
    sessions,
    uploads,
)
from safelight.catalog.tables.metadata import metadata
from safelight.catalog.tables.photos import month_changes, month_counts, photos, unique_sha256
from safelight.catalog.tables.search import search

__all__ = [
    "adoptions",
    "album_photos",
    "albums",
    "change_counts",
    "changes",
    "codes",
    "downloads",
    "installation",
    "metadata",
    "month_changes",
    "month_counts",
    "photos",
    "renderings",
    "search",
    "sessions",
    "unique_sha256",
    "uploads",
]

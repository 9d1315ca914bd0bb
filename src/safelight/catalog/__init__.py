"""The catalog: a row for every photo, in PostgreSQL. It contains no image data."""

from safelight.catalog.catalog import Catalog
from safelight.catalog.diagnosis import DatabaseFacts
from safelight.catalog.installation.bucket import describe_other_bucket
from safelight.catalog.paging import Cursor, Month, Page
from safelight.catalog.reservations import Reservation, Reservations
from safelight.catalog.scan import RowKeys, RowScan, remove_renditions
from safelight.catalog.sessions import Session, Sessions
from safelight.catalog.tombstones import PhotoHook, Tombstone, Tombstones, TransactionHook
from safelight.catalog.uploads import UploadEnded, Uploads

__all__ = [
    "Catalog",
    "Cursor",
    "DatabaseFacts",
    "Month",
    "Page",
    "PhotoHook",
    "Reservation",
    "Reservations",
    "RowKeys",
    "RowScan",
    "Session",
    "Sessions",
    "Tombstone",
    "Tombstones",
    "TransactionHook",
    "UploadEnded",
    "Uploads",
    "describe_other_bucket",
    "remove_renditions",
]

"""The catalog: a row for every photo, in PostgreSQL. It knows no bytes."""

from safelight.catalog.catalog import Along, AlongWith, Catalog, Reservation
from safelight.catalog.pages import Cursor, Page
from safelight.catalog.roll import Entry, Roll, strike
from safelight.catalog.sessions import Session, Sessions
from safelight.catalog.tombstones import Doomed, Tombstones
from safelight.catalog.uploads import UploadEnded, Uploads

__all__ = [
    "Along",
    "AlongWith",
    "Catalog",
    "Cursor",
    "Doomed",
    "Entry",
    "Page",
    "Reservation",
    "Roll",
    "Session",
    "Sessions",
    "Tombstones",
    "UploadEnded",
    "Uploads",
    "strike",
]

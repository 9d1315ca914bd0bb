"""The catalog: a row for every photo, in PostgreSQL. It knows no bytes."""

from safelight.catalog.catalog import Catalog
from safelight.catalog.pages import Cursor, Month, Page
from safelight.catalog.reservations import AlongWith, Reservation, Reservations
from safelight.catalog.roll import Entry, Roll, strike
from safelight.catalog.sessions import Session, Sessions
from safelight.catalog.tombstones import Along, Doomed, Tombstones
from safelight.catalog.uploads import UploadEnded, Uploads

__all__ = [
    "Along",
    "AlongWith",
    "Catalog",
    "Cursor",
    "Doomed",
    "Entry",
    "Month",
    "Page",
    "Reservation",
    "Reservations",
    "Roll",
    "Session",
    "Sessions",
    "Tombstones",
    "UploadEnded",
    "Uploads",
    "strike",
]

"""The catalog: a row for every photo, in PostgreSQL. It knows no bytes."""

from safelight.catalog.catalog import Catalog, Doomed, Reservation
from safelight.catalog.pages import Cursor, Page
from safelight.catalog.sessions import Session, Sessions

__all__ = ["Catalog", "Cursor", "Doomed", "Page", "Reservation", "Session", "Sessions"]

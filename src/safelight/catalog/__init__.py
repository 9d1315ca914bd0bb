"""The catalog: a row for every photo, in PostgreSQL. It contains no image data.

The names are imported on first use, so that an embedding program starts quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from safelight.catalog.catalog import Catalog
    from safelight.catalog.diagnosis import DatabaseFacts
    from safelight.catalog.downloads import DownloadRow
    from safelight.catalog.installation.bucket import describe_other_bucket
    from safelight.catalog.installation.sessions import Session, Sessions
    from safelight.catalog.months.drift import Miscount, MonthDrift
    from safelight.catalog.paging import Cursor, Month, Page, Sorting
    from safelight.catalog.reservations import Reservation, Reservations
    from safelight.catalog.scan import RowKeys, RowScan, remove_renditions
    from safelight.catalog.search.parsing import SearchTerm, parse_query
    from safelight.catalog.tombstones import PhotoHook, Tombstone, Tombstones, TransactionHook
    from safelight.catalog.uploads import UploadEnded, Uploads

__all__ = [
    "Catalog",
    "Cursor",
    "DatabaseFacts",
    "DownloadRow",
    "Miscount",
    "Month",
    "MonthDrift",
    "Page",
    "PhotoHook",
    "Reservation",
    "Reservations",
    "RowKeys",
    "RowScan",
    "SearchTerm",
    "Session",
    "Sessions",
    "Sorting",
    "Tombstone",
    "Tombstones",
    "TransactionHook",
    "UploadEnded",
    "Uploads",
    "describe_other_bucket",
    "parse_query",
    "remove_renditions",
]

_MODULES: Final = {
    "Catalog": "catalog",
    "Cursor": "paging",
    "DatabaseFacts": "diagnosis",
    "DownloadRow": "downloads",
    "Miscount": "months.drift",
    "Month": "paging",
    "MonthDrift": "months.drift",
    "Page": "paging",
    "PhotoHook": "tombstones",
    "Reservation": "reservations",
    "Reservations": "reservations",
    "RowKeys": "scan",
    "RowScan": "scan",
    "SearchTerm": "search.parsing",
    "Session": "installation.sessions",
    "Sessions": "installation.sessions",
    "Sorting": "paging",
    "Tombstone": "tombstones",
    "Tombstones": "tombstones",
    "TransactionHook": "tombstones",
    "UploadEnded": "uploads",
    "Uploads": "uploads",
    "describe_other_bucket": "installation.bucket",
    "parse_query": "search.parsing",
    "remove_renditions": "scan",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

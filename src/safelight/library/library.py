"""The library: add, list, change and delete photos, and sign links to them."""

from safelight.library.methods.adoption import AdoptionMethods
from safelight.library.methods.albums import AlbumMethods
from safelight.library.methods.changes import ChangeMethods
from safelight.library.methods.columns import ColumnMethods
from safelight.library.methods.downloads import DownloadMethods
from safelight.library.methods.markup import MarkupMethods
from safelight.library.methods.photos import PhotoMethods
from safelight.library.methods.trash import TrashMethods
from safelight.library.methods.upkeep import UpkeepMethods


class Library(
    AdoptionMethods,
    AlbumMethods,
    PhotoMethods,
    ChangeMethods,
    ColumnMethods,
    DownloadMethods,
    TrashMethods,
    MarkupMethods,
    UpkeepMethods,
):
    """Photos of any number of owners, in one bucket and one catalog.

    Methods about photos take the `owner`, an opaque string of the caller. Use a library between
    `start` and `close`, or within `lifespan`. Every call raises one of the errors under
    `Unavailable` while an engine is down; nothing has been stored then.
    """

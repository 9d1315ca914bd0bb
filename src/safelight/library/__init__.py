"""The library: the one place where bytes, rows and pixels meet."""

from safelight.library.intake import Added
from safelight.library.library import MAX_PAGE, MAX_SKIP, Library
from safelight.library.uploads import Begun, Operation

__all__ = ["MAX_PAGE", "MAX_SKIP", "Added", "Begun", "Library", "Operation"]

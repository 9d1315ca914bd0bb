"""The library: the one place where bytes, rows and pixels meet."""

from safelight.library.library import MAX_PAGE, Added, Library

__all__ = ["MAX_PAGE", "Added", "Library"]

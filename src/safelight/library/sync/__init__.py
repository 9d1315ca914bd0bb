"""The library with blocking methods."""

from safelight.library.sync.library import SyncLibrary

__all__ = ["SyncLibrary"]

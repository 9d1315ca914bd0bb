"""The command line."""

from safelight.cli.app import main

__all__ = ["main"]

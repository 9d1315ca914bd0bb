"""The command line."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line. Ctrl-C ends it without a traceback from the first moment."""
    try:
        from safelight.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()

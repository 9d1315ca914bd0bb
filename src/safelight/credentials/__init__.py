"""Who we are to the store: keys from the settings, or what the AWS chain issues, kept fresh."""

from safelight.credentials.fixed import Fixed
from safelight.credentials.renewed import LEAST_LEFT, Renewed
from safelight.credentials.source import Source, source_of

__all__ = ["LEAST_LEFT", "Fixed", "Renewed", "Source", "source_of"]

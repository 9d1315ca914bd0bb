"""Create databases for single tests on engines that many tests share."""

from contextlib import AbstractContextManager

from safelight.engines import EmbeddedEngines
from safelight.testing.databases import MIGRATED, DatabaseServer

EMPTY = "template1"


def database(engines: EmbeddedEngines, *, template: str = MIGRATED) -> AbstractContextManager[str]:
    """Create a database that our role owns, yield its URL, and drop it at the end."""
    return DatabaseServer.of(engines).database(template=template)


def superuser_url(engines: EmbeddedEngines) -> str:
    """Return the URL of the database in which a superuser may do what our role may not."""
    return engines.superuser_url

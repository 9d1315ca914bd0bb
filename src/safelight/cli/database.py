"""The database's schema, brought up to date by hand."""

import asyncio

from safelight.catalog import Catalog
from safelight.errors import SettingsError
from safelight.settings import Settings


def upgrade_schema(settings: Settings) -> None:
    """Bring the schema to the newest version. Raises SettingsError if that can't be done."""
    if settings.database_url is None:
        raise SettingsError(
            "SAFELIGHT_DATABASE_URL is not set. The embedded database is brought up to date by"
            " 'safelight serve'."
        )
    asyncio.run(_upgrade(settings.database_url.get_secret_value()))
    print("The schema is up to date.")  # noqa: T201  the command line's own voice


async def _upgrade(url: str) -> None:
    catalog = Catalog(url)
    try:
        await catalog.upgrade()
    finally:
        await catalog.close()

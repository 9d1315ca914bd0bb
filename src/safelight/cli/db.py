"""``safelight db``: the database schema."""

from typing import TYPE_CHECKING

from cyclopts import App

from safelight.errors import SettingsError
from safelight.terminal import print_result

if TYPE_CHECKING:
    from safelight.settings import Settings

app = App(name="db", help="Upgrade the database schema.")


@app.command
def upgrade() -> None:
    """Upgrade the database schema to the newest version.

    The database is the one at SAFELIGHT_DATABASE_URL. `serve` also does this
    when it starts; use this command to upgrade before a deployment.

    Example: SAFELIGHT_DATABASE_URL=postgresql://… safelight db upgrade
    """
    from safelight.settings.environment import read_settings

    upgrade_schema(read_settings())


def upgrade_schema(settings: "Settings") -> None:
    """Upgrade the schema of the configured database. Raises SettingsError."""
    if settings.database_url is None:
        raise SettingsError(
            "SAFELIGHT_DATABASE_URL is not set. 'safelight serve' upgrades the embedded database."
        )
    import asyncio

    asyncio.run(_upgrade(settings.database_url.get_secret_value()))
    print_result("The database schema is up to date.")


async def _upgrade(url: str) -> None:
    from safelight.catalog import Catalog

    catalog = Catalog(url)
    try:
        await catalog.upgrade()
    finally:
        await catalog.close()

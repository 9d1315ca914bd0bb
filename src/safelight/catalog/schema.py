"""The schema's versions: brought up to date once, by whoever comes first."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

_LOCK = 0x5AFE_11617
"""The advisory lock that makes the second of two starting processes wait for the first."""


def upgrade(connection: Connection) -> None:
    """Bring the tables to the newest version, in one transaction of the connection's."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    command.upgrade(configuration(connection), "head")


def configuration(connection: Connection) -> Config:
    """Give Alembic its settings; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config

"""Facts about the server and the schema, for people who look for what is wrong with it."""

from dataclasses import dataclass
from typing import Final

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from safelight.catalog.migrate import alembic_config

_FACTS: Final = text("""
    SELECT current_setting('server_version') AS version,
      current_setting('server_version_num')::int / 10000 AS major,
      pg_is_in_recovery() AS is_standby,
      current_setting('transaction_read_only')::bool AS is_read_only,
      current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int AS connections,
      (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
      (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS role_connections,
      current_schema() AS schema,
      coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS can_create
""")

_BUCKET: Final = text(
    "SELECT value FROM safelight_installation WHERE name = 'bucket' AND ("
    "EXISTS (SELECT FROM safelight_photos) OR EXISTS (SELECT FROM safelight_uploads))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What the server, our user and the schema are like.

    `connections` is how many the server accepts of ordinary users, `used` how many are open, and
    `role_connections` how many our user may open; negative for any number. `schema` is None if none
    in the search path exists. `revision` is the schema's version, None before the first migration,
    and `newest` the one that this program needs. `bucket` is the one that has the photos; None if
    there are no photos, or if it isn't known yet.
    """

    version: str
    major: int
    is_standby: bool
    is_read_only: bool
    connections: int
    used: int
    role_connections: int
    schema: str | None
    can_create: bool
    revision: str | None
    newest: str | None
    bucket: str | None = None


def read_facts(connection: Connection) -> DatabaseFacts:
    """Read the facts on a connection of the catalog."""
    row = connection.execute(_FACTS).one()._mapping
    found = MigrationContext.configure(
        connection, opts={"version_table": "safelight_alembic_version"}
    ).get_current_revision()
    has_record = connection.scalar(text("SELECT to_regclass('safelight_installation')"))
    bucket = connection.scalar(_BUCKET) if has_record else None
    newest = ScriptDirectory.from_config(alembic_config(connection)).get_current_head()
    return DatabaseFacts(**row, revision=found, newest=newest, bucket=bucket)

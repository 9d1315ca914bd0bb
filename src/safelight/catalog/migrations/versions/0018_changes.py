"""Count the changes of each owner's photos and albums, so that clients see that something changed.

The triggers are in the database, so what another version or a host application changes is counted
too. Earlier versions can run with this schema: they don't know the tables, and never fold them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# Which rows have changed for clients. New renditions are none: they change the version, but nothing
# that a list has to show. Rows are compared as a whole, so that later columns count too, but only
# where the renditions have changed as well, since that takes time.
_NOT_SHOWN = "'{version,renditions,thumbhash,renderer,inspection}'::text[]"
_PHOTOS = {
    "insert": ("NEW TABLE AS later", "SELECT DISTINCT owner FROM later WHERE status = 'ready'"),
    "delete": ("OLD TABLE AS earlier", "SELECT DISTINCT owner FROM earlier WHERE status = 'ready'"),
    "update": (
        "NEW TABLE AS later OLD TABLE AS earlier",
        """
    SELECT DISTINCT one.owner
    FROM later JOIN earlier USING (id),
      LATERAL (VALUES (later.owner), (earlier.owner)) AS one (owner)
    WHERE (later.status = 'ready' OR earlier.status = 'ready')
      AND (
        later.status <> earlier.status
        OR later.owner <> earlier.owner
        OR later.name <> earlier.name
        OR later.trashed_at IS DISTINCT FROM earlier.trashed_at
        OR later.version <> earlier.version
          AND (
            later.renditions = earlier.renditions
            OR to_jsonb(later) - {not_shown} <> to_jsonb(earlier) - {not_shown}
          )
      )""",
    ),
}

# They run with the rights of the tables' owner, like the triggers of the counts, and find the
# tables by the schema of the one that has changed. There is no percent sign in them either.
_OF_PHOTOS = """
CREATE FUNCTION safelight_photos_changed_{event}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  changed record;
BEGIN
  FOR changed IN {changed}
  LOOP
    EXECUTE 'INSERT INTO ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_changes (owner)'
      ' VALUES ($1)' USING changed.owner;
  END LOOP;
  RETURN NULL;
END $$
"""
_TRUNCATED = """
CREATE FUNCTION safelight_photos_changed_truncate() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  own text := quote_ident(TG_TABLE_SCHEMA);
BEGIN
  EXECUTE 'INSERT INTO ' || own || '.safelight_changes (owner)'
    ' SELECT owner FROM ' || own || '.safelight_changes'
    ' UNION SELECT owner FROM ' || own || '.safelight_change_counts';
  RETURN NULL;
END $$
"""
# An album that is deleted has counted before its photos leave it.
_OF_ALBUMS = """
CREATE FUNCTION safelight_albums_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  own text := quote_ident(TG_TABLE_SCHEMA);
BEGIN
  IF TG_TABLE_NAME = 'safelight_albums' THEN
    EXECUTE 'INSERT INTO ' || own || '.safelight_changes (owner)'
      ' SELECT DISTINCT owner FROM changed';
  ELSIF EXISTS (SELECT FROM changed) THEN
    EXECUTE 'INSERT INTO ' || own || '.safelight_changes (owner)'
      ' SELECT DISTINCT owner FROM ' || own || '.safelight_albums'
      ' WHERE id IN (SELECT album_id FROM changed)';
  END IF;
  RETURN NULL;
END $$
"""
_TRIGGER = """
CREATE TRIGGER safelight_changed_{event} AFTER {event} ON {table} {referencing}
FOR EACH STATEMENT EXECUTE FUNCTION {function}()
"""


def upgrade() -> None:
    """Create the tables and the triggers."""
    op.create_table(
        "safelight_change_counts",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("changes", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "safelight_changes",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    )
    functions = ["safelight_albums_changed", "safelight_photos_changed_truncate"]
    op.execute(_TRUNCATED)
    op.execute(_OF_ALBUMS)
    for event, (tables, changed) in _PHOTOS.items():
        function = f"safelight_photos_changed_{event}"
        functions.append(function)
        shown = changed.format(not_shown=_NOT_SHOWN)
        op.execute(_OF_PHOTOS.format(event=event, changed=shown))
        _create_trigger(event, "safelight_photos", f"REFERENCING {tables}", function)
    _create_trigger("truncate", "safelight_photos", "", "safelight_photos_changed_truncate")
    for table in ("safelight_albums", "safelight_album_photos"):
        for event in ("insert", "update", "delete"):
            changed = "OLD" if event == "delete" else "NEW"
            referencing = f"REFERENCING {changed} TABLE AS changed"
            _create_trigger(event, table, referencing, "safelight_albums_changed")
    for function in functions:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function}() FROM PUBLIC")


def _create_trigger(event: str, table: str, referencing: str, function: str) -> None:
    op.execute(
        _TRIGGER.format(event=event, table=table, referencing=referencing, function=function)
    )

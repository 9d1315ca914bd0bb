"""Let photos be in the trash, where neither lists nor counts include them.

Earlier versions can run with this schema: they list trashed photos, and delete photos for good. The
indexes of pages are built again, which takes some seconds for a million photos; reads and writes of
photos wait meanwhile.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_COUNTED = "status = 'ready' AND trashed_at IS NULL"
"""Which rows count as photos."""

_MONTHS = {
    "added": "date_trunc('month', created_at AT TIME ZONE 'UTC')",
    "taken": "date_trunc('month', local_at)",
}
_NEW = "SELECT owner, created_at, local_at, 1 AS change FROM new_photos WHERE {counted}"
_OLD = "SELECT owner, created_at, local_at, -1 AS change FROM old_photos WHERE {counted}"
_CHANGES = {"insert": _NEW, "update": f"{_NEW} UNION ALL {_OLD}", "delete": _OLD}

# That of migration 0011, with another condition. Its owner and its rights stay.
_FUNCTION = """
CREATE OR REPLACE FUNCTION safelight_count_{event}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  changed record;
BEGIN
  FOR changed IN
    SELECT owner, sort, month, sum(change) AS change
    FROM ({changes}) AS photo,
      LATERAL (VALUES ('added', {added}), ('taken', {taken})) AS months (sort, month)
    GROUP BY owner, sort, month HAVING sum(change) <> 0
  LOOP
    EXECUTE 'INSERT INTO ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_month_changes'
      ' (owner, sort, month, change) VALUES ($1, $2, $3, $4)'
      USING changed.owner, changed.sort, changed.month, changed.change;
  END LOOP;
  RETURN NULL;
END $$
"""
_PAGES = {"added": "created_at", "local": "local_at"}
"""The indexes, and their columns."""


def upgrade() -> None:
    """Add the columns, count without trashed photos, and build the indexes."""
    op.add_column("safelight_photos", sa.Column("trashed_at", sa.DateTime(timezone=True)))
    op.add_column("safelight_photos", sa.Column("revoked_at", sa.DateTime(timezone=True)))
    for event, changes in _CHANGES.items():
        counted = changes.format(counted=_COUNTED)
        op.execute(_FUNCTION.format(event=event, changes=counted, **_MONTHS))
    for name, column in _PAGES.items():
        op.drop_index(f"safelight_photos_{name}_idx", "safelight_photos")
        op.create_index(
            f"safelight_photos_{name}_idx",
            "safelight_photos",
            ["owner", sa.text(f"{column} DESC"), sa.text("id DESC")],
            postgresql_include=["version", "trashed_at"],
            postgresql_where=sa.text("status = 'ready'"),
        )
    trashed = sa.text("trashed_at IS NOT NULL")
    op.create_index(
        "safelight_photos_trash_idx",
        "safelight_photos",
        ["owner", sa.text("trashed_at DESC"), sa.text("id DESC")],
        postgresql_include=["version"],
        postgresql_where=trashed,
    )
    op.create_index(
        "safelight_photos_trashed_at_idx",
        "safelight_photos",
        ["trashed_at"],
        postgresql_where=trashed,
    )
    op.create_index(
        "safelight_photos_revoked_idx",
        "safelight_photos",
        ["id"],
        postgresql_where=sa.text("revoked_at IS NOT NULL"),
    )

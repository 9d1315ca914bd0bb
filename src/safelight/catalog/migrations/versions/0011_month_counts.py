"""Count the photos of each month, so that a list of months costs the same with any number.

The triggers are in the database, so photos that another version adds or deletes are counted too.
Reads go on meanwhile. Writes of photos wait for the backfill, about a second for a million.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COUNTED = "status = 'ready'"
"""Which rows count as photos."""

_MONTHS = {
    "added": "date_trunc('month', created_at AT TIME ZONE 'UTC')",
    "taken": "date_trunc('month', local_at)",
}
"""The month of a photo in each order."""

_NEW = "SELECT owner, created_at, local_at, 1 AS change FROM new_photos WHERE {counted}"
_OLD = "SELECT owner, created_at, local_at, -1 AS change FROM old_photos WHERE {counted}"
_CHANGES = {
    "insert": (_NEW, "NEW TABLE AS new_photos"),
    "update": (f"{_NEW} UNION ALL {_OLD}", "NEW TABLE AS new_photos OLD TABLE AS old_photos"),
    "delete": (_OLD, "OLD TABLE AS old_photos"),
}

# It runs with the rights of the tables' owner: a host application may write photos as another role,
# in its own transactions. So it finds the tables by the schema of the photos, not by a search path.
# Other roles may not create triggers with it: they would run with these rights on other tables.
# There is no percent sign in it: whether the driver would halve it depends on earlier migrations.
_FUNCTION = """
CREATE FUNCTION safelight_count_{event}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
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
_TRIGGER = """
CREATE TRIGGER safelight_count_{event} AFTER {event} ON safelight_photos {referencing}
FOR EACH STATEMENT EXECUTE FUNCTION safelight_count_{event}()
"""

# The lock is that of the fold: it may be moving changes to the counts.
_TRUNCATED = """
CREATE FUNCTION safelight_count_truncate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(24426315847);
  EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_month_changes';
  EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_month_counts';
  RETURN NULL;
END $$
"""
_COUNT_EXISTING = """
INSERT INTO safelight_month_counts (owner, sort, month, photos)
SELECT owner, '{sort}', {month}, count(*) FROM safelight_photos WHERE {counted} GROUP BY 1, 3
"""


def upgrade() -> None:
    """Create the tables and the triggers, and count the photos that exist."""
    op.create_table(
        "safelight_month_counts",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("sort", sa.Text, primary_key=True),
        sa.Column("month", sa.DateTime(timezone=False), primary_key=True),
        sa.Column("photos", sa.Integer, nullable=False),
    )
    op.create_table(
        "safelight_month_changes",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("sort", sa.Text, nullable=False),
        sa.Column("month", sa.DateTime(timezone=False), nullable=False),
        sa.Column("change", sa.Integer, nullable=False),
    )
    op.create_index(
        "safelight_month_changes_owner_sort_idx", "safelight_month_changes", ["owner", "sort"]
    )
    # A trigger's lock waits for the transactions that have written photos, and lets no others write
    # until the commit. So each photo is either counted below or by a trigger.
    for event, (changes, tables) in _CHANGES.items():
        counted = changes.format(counted=_COUNTED)
        op.execute(_FUNCTION.format(event=event, changes=counted, **_MONTHS))
        op.execute(_TRIGGER.format(event=event, referencing=f"REFERENCING {tables}"))
    op.execute(_TRUNCATED)
    op.execute(_TRIGGER.format(event="truncate", referencing=""))
    for event in (*_CHANGES, "truncate"):
        op.execute(f"REVOKE EXECUTE ON FUNCTION safelight_count_{event}() FROM PUBLIC")
    for sort, month in _MONTHS.items():
        op.execute(_COUNT_EXISTING.format(sort=sort, month=month, counted=_COUNTED))

"""Sort by the camera's local time, remember where it comes from, and what the picture says.

A stored generated column rewrites the table: reads and writes of photos wait, about half a minute
for a million photos. Version 0.1 can run with this schema: it writes and sorts by `sort_at`, as
before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Remove dates that can't be true, add the columns, and index the local time."""
    # Version 0.1 stored any date. The same rule as for new photos, at the time of their upload: the
    # clock of this moment may be wrong, and the upload's was good enough to sort by.
    op.execute(
        "UPDATE safelight_photos SET taken_at = NULL, taken_offset = NULL, sort_at = created_at,"
        " version = version + 1"
        " WHERE taken_at IS NOT NULL AND created_at IS NOT NULL AND ("
        "taken_at < '1800-01-01'"
        " OR taken_at > created_at AT TIME ZONE 'UTC' + INTERVAL '1 day'"
        " OR taken_at - COALESCE(taken_offset, INTERVAL '0')"
        " > created_at AT TIME ZONE 'UTC' + INTERVAL '1 day')"
    )
    # One statement, so that the table is rewritten once.
    op.execute(
        "ALTER TABLE safelight_photos"
        " ADD COLUMN taken_from TEXT,"
        " ADD COLUMN own_taken_at TIMESTAMP WITHOUT TIME ZONE,"
        " ADD COLUMN own_taken_offset INTERVAL,"
        " ADD COLUMN own_taken_from TEXT,"
        " ADD COLUMN local_at TIMESTAMP WITHOUT TIME ZONE"
        " GENERATED ALWAYS AS (COALESCE(taken_at, created_at AT TIME ZONE 'UTC')) STORED"
    )
    op.create_index(
        "safelight_photos_local_idx",
        "safelight_photos",
        ["owner", sa.text("local_at DESC"), sa.text("id DESC")],
        postgresql_include=["version"],
        postgresql_where=sa.text("status = 'ready'"),
    )
    op.add_column("safelight_uploads", sa.Column("modified_at", sa.DateTime(timezone=False)))
    op.add_column("safelight_uploads", sa.Column("modified_offset", sa.Interval))

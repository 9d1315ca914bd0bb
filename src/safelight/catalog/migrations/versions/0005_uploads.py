"""Direct uploads: a row for each, from its reservation."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLE = "safelight_uploads"


def upgrade() -> None:
    """Create the table and its indexes."""
    op.create_table(
        _TABLE,
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text),
        sa.Column("part_size", sa.BigInteger),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("swept_at", sa.DateTime(timezone=True)),
        sa.Column("photo_id", sa.BigInteger),
        sa.CheckConstraint(
            "status IN ('open', 'completed', 'aborted')",
            name=op.f("safelight_uploads_status_check"),
        ),
        sa.CheckConstraint(
            "status = 'open' OR ended_at IS NOT NULL",
            name=op.f("safelight_uploads_an_end_has_a_time_check"),
        ),
        sa.CheckConstraint(
            "status <> 'completed' OR photo_id IS NOT NULL",
            name=op.f("safelight_uploads_completed_is_a_photo_check"),
        ),
    )
    op.create_index(
        "safelight_uploads_open_idx",
        _TABLE,
        ["owner", "expires_at"],
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index(
        "safelight_uploads_unswept_idx",
        _TABLE,
        ["name"],
        postgresql_where=sa.text("status <> 'open' AND swept_at IS NULL"),
    )
    op.create_index("safelight_uploads_expires_idx", _TABLE, ["expires_at"])

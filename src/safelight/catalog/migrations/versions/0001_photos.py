"""Photos: a row for each, including its renditions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None

_READY = sa.text("status = 'ready'")


def upgrade() -> None:
    """Create the table and its indexes."""
    op.create_table(
        "safelight_photos",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.Column("purged_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True)),
        sa.Column("size", sa.BigInteger),
        sa.Column("sha256", sa.Text),
        sa.Column("format", sa.Text),
        sa.Column("content_type", sa.Text),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("frames", sa.Integer),
        sa.Column("taken_at", sa.DateTime(timezone=False)),
        sa.Column("taken_offset", sa.Interval),
        sa.Column("sort_at", sa.DateTime(timezone=True)),
        sa.Column("thumbhash", sa.LargeBinary),
        sa.Column("renditions", JSONB, nullable=False, server_default=sa.text("'[]'")),
        sa.UniqueConstraint("name", name="safelight_photos_name_key"),
        sa.CheckConstraint(
            "status IN ('pending', 'ready', 'deleted')", name=op.f("safelight_photos_status_check")
        ),
        sa.CheckConstraint(
            "status <> 'ready' OR (created_at IS NOT NULL AND size IS NOT NULL"
            " AND sha256 IS NOT NULL AND format IS NOT NULL AND content_type IS NOT NULL"
            " AND width IS NOT NULL AND height IS NOT NULL AND frames IS NOT NULL"
            " AND sort_at IS NOT NULL)",
            name=op.f("safelight_photos_ready_is_whole_check"),
        ),
    )
    op.create_index(
        "safelight_photos_twins_idx",
        "safelight_photos",
        ["owner", "sha256"],
        unique=True,
        postgresql_where=_READY,
    )
    for order, column in (("added", "created_at"), ("taken", "sort_at")):
        op.create_index(
            f"safelight_photos_{order}_idx",
            "safelight_photos",
            ["owner", sa.text(f"{column} DESC"), sa.text("id DESC")],
            postgresql_include=["version"],
            postgresql_where=_READY,
        )
    op.create_index(
        "safelight_photos_unsettled_idx",
        "safelight_photos",
        ["status", "reserved_at"],
        postgresql_where=sa.text("status <> 'ready'"),
    )

"""More facts about photos, as JSON."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; it is empty for existing photos."""
    op.add_column(
        "safelight_photos",
        sa.Column("details", JSONB, nullable=False, server_default=sa.text("'{}'")),
    )

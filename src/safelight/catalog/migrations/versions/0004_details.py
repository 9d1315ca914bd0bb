"""What else a picture tells of itself."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of photos that are there already nothing is known."""
    op.add_column(
        "safelight_photos",
        sa.Column("details", JSONB, nullable=False, server_default=sa.text("'{}'")),
    )

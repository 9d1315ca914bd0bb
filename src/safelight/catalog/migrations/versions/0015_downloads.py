"""Remember which photos an archive has.

Earlier versions don't know the table, and can run with this schema.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "safelight_downloads",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("photo_ids", ARRAY(sa.BigInteger), nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(
        "safelight_downloads_owner_created_at_idx", "safelight_downloads", ["owner", "created_at"]
    )
    op.create_index("safelight_downloads_expires_idx", "safelight_downloads", ["expires_at"])

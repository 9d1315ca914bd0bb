"""Remember which objects of other programs were adopted.

Earlier versions don't know the table, and can run with this schema.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "safelight_adoptions",
        sa.Column("source", sa.LargeBinary, primary_key=True),
        sa.Column("photo_id", sa.BigInteger, nullable=False),
        sa.Column("adopted_at", sa.DateTime(timezone=True), nullable=False),
    )

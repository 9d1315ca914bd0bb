"""Remember which version inspected a photo, and which rendering its pixels need.

Both columns have a constant default, so no row is written. Version 0.1 can run with this schema.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    for name, default in (("renderer", "1"), ("inspection", "0")):
        op.add_column(
            "safelight_photos",
            sa.Column(name, sa.SmallInteger, nullable=False, server_default=sa.text(default)),
        )

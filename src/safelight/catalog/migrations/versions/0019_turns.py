"""Remember how far owners have turned their photos.

The column has a constant default, so no row is written. Earlier versions can run with this schema:
width and height stay those of the original. They show a turned photo with the renditions that it
has, and would make new ones as the original is; `safelight render --missing` replaces those.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "safelight_photos",
        sa.Column("turn", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
    )

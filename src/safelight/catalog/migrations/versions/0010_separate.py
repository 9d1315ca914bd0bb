"""Allow an owner to have the same bytes more than once, if the settings say so.

`separate` is 0 in every row that must be unique, and the row's own id in a photo that was added
while duplicates are kept apart. The index is built again, in some seconds for a million photos,
during which uploads wait. Earlier versions can run with this schema: they write 0, and recognize
the index by its name.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and make it part of the unique index."""
    op.add_column(
        "safelight_photos",
        sa.Column("separate", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    )
    op.drop_index("safelight_photos_twins_idx", "safelight_photos")
    op.create_index(
        "safelight_photos_twins_idx",
        "safelight_photos",
        ["owner", "sha256", "separate"],
        unique=True,
        postgresql_where=sa.text("status = 'ready'"),
    )

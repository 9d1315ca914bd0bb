"""Users and products."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, whose foreign keys need Safelight's: upgrade those first."""
    photo = ["safelight_photos.id"]
    op.create_table(
        "users",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("avatar_id", sa.BigInteger, index=True),
        sa.ForeignKeyConstraint(["avatar_id"], photo, ondelete="SET NULL"),
    )
    op.create_table(
        "products",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("seller", sa.String, nullable=False),
        sa.Column("photo_id", sa.BigInteger, index=True),
        sa.ForeignKeyConstraint(["photo_id"], photo, ondelete="SET NULL"),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("products")
    op.drop_table("users")

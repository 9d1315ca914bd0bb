"""Sort names by bytes, as every store sorts its keys."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the column's collation; this rebuilds its index, but not the table."""
    op.alter_column("safelight_photos", "name", type_=sa.Text(collation="C"))

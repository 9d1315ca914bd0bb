"""Names sorted byte by byte, as every store sorts its keys."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the column's order; its index is built anew, the table isn't written again."""
    op.alter_column("safelight_photos", "name", type_=sa.Text(collation="C"))

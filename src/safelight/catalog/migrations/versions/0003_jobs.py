"""Jobs: Procrastinate's own tables, types and functions.

Its statements come from the package, whose version pyproject.toml holds fast; later versions'
changes come as migrations of ours (docs/decisions/0005-jobs.md). Where a host application has
Procrastinate's tables already, they are shared.
"""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them, unless they are there."""
    connection = op.get_bind()
    if connection.scalar(sa.text("SELECT to_regclass('procrastinate_jobs')")) is None:
        # Without parameters the driver takes several statements at once.
        plain = connection.execution_options(no_parameters=True)
        plain.exec_driver_sql(SchemaManager.get_schema())

"""Jobs: Procrastinate's own tables, types and functions.

The statements come from the package, whose version pyproject.toml limits; changes of later versions
need migrations of our own (docs/decisions/0005-jobs.md). If a host application already has
Procrastinate's tables, they are shared.
"""

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them, unless they exist."""
    connection = op.get_bind()
    if connection.scalar(sa.text("SELECT to_regclass('procrastinate_jobs')")) is None:
        # The driver accepts several statements only without parameters.
        plain = connection.execution_options(no_parameters=True)
        plain.exec_driver_sql(SchemaManager.get_schema())

"""Run the shop's migrations. The filter leaves Safelight's tables alone."""

import os

from alembic import context
from models import Base
from sqlalchemy import NullPool, create_engine

from safelight.alembic import include_name

url = context.config.attributes.get("url") or os.environ["DATABASE_URL"]
url = url.replace("postgresql://", "postgresql+psycopg://")
with create_engine(url, poolclass=NullPool).connect() as connection:
    context.configure(
        connection=connection, target_metadata=Base.metadata, include_name=include_name
    )
    with context.begin_transaction():
        context.run_migrations()

"""Alembic's entry point: run migrations on the connection that the catalog passes."""

from alembic import context

from safelight.catalog.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="safelight_alembic_version",
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()

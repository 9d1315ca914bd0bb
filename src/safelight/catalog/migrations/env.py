"""Alembic's entry: it upgrades over the connection that the catalog hands it."""

from alembic import context

from safelight.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="safelight_alembic_version",
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()

"""What a host application has in the same database: transactions, foreign keys, Alembic."""

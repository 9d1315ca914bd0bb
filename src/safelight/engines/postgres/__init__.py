"""The embedded PostgreSQL: its files, its account and its process."""

"""How the catalog connects to PostgreSQL."""

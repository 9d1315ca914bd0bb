"""The trash, and links that are revoked."""

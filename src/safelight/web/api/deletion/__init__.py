"""The routes that delete and restore photos, and revoke links."""

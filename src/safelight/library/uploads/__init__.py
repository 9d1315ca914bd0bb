"""Direct uploads: what clients declare, the uploads themselves, and the cleanup after them."""

"""The number of photos of each month."""

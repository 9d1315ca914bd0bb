"""The renditions in the rows of photos, and the claims of those that are being made on demand."""

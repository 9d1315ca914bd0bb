"""The number of changes of each owner."""

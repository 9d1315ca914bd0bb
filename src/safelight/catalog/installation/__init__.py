"""What a catalog remembers of its installation."""

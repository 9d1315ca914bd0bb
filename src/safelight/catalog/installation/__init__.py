"""What a catalog remembers of its installation, and who is signed in there."""

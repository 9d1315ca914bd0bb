"""Photos in the trash, and photos whose objects get new keys."""

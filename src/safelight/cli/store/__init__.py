"""Commands about the bucket: configure it, compare it with the database, adopt what is in it."""

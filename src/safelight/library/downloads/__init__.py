"""Downloads of many originals as one ZIP archive."""

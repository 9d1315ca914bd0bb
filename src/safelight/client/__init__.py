"""The HTTP client that the commands use."""

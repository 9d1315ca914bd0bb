"""Safelight: people's photos in a private S3 bucket, given back through links that expire."""

__version__ = "0.1.0"

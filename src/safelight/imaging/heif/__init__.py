"""AVIF and HEIC: which picture of the file is shown, and sequences."""

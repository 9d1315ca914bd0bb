"""The route that says whether anything has changed."""

"""The methods of `Library`, by subject: each module has a class that `Library` inherits."""

"""Read requests: the connection, the body and multipart forms."""

"""SigV4 signatures, credential providers, links to photos and presigned upload requests."""

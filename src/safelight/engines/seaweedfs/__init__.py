"""The embedded SeaweedFS: its ports, its certificates and its process."""

"""The running program: `serve` and `worker`."""

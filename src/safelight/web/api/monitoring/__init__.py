"""Routes for monitoring: health checks and Prometheus metrics."""

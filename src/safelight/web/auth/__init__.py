"""Authentication, throttling and CSRF protection."""

"""Compare rows with objects, and repair what differs."""

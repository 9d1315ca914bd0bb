"""Read and render originals that are stored already, by jobs."""

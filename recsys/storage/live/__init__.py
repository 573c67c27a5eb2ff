"""Live data: one store per table."""

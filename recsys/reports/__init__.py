"""Reports: one HTML page with images, and tables for a terminal."""

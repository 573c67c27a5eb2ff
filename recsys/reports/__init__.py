"""Answers as people read them: one HTML page with pictures, and tables for a terminal."""

"""Restyled frame sequences without flicker."""

"""Experiment design: definitions, assignment, targeting, lifecycle."""

"""Experiments: assignment, exposures, health, analysis and decisions, from logs only."""

"""Experiment analysis: from logs to effects and a decision."""

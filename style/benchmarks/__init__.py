"""Figures of the style tower that anyone can measure again, each beside its baseline: `recsys bench style`."""

"""Reproducible benchmarks of vectors and engines, each beside its baseline: `recsys bench style`."""

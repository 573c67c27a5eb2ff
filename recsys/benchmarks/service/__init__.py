"""Benchmarks of `recsys bench serve`: each promise of the service is measured on a real server, with a baseline."""

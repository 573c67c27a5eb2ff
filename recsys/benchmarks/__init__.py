"""Benchmarks of `recsys bench`: training, ranking, storage and the service, each result with its baseline."""

"""Recommendations for one request: retrieve, rank, rerank, explore, explain (see `recommender`)."""

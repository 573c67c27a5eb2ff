"""Recommendation lists: building, presenting, caching and paging."""

"""Pydantic schemas of requests and responses, one file per group of routes."""

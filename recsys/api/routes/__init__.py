"""Routes of the service, one file per group.

A new route is one function here and one entry in `recsys/api/route_table.py`.
"""

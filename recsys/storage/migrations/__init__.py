"""Migrations of the schema of live data: one file per step, run in order when a database is opened.

A step is never changed once it is released. There are no downgrades: restore a backup instead.
"""

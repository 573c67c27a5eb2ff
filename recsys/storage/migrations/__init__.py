"""How the schema of live data came to be: one file for each step, run in order when a database is opened.

A step is never changed once it is released; there are no steps back, restore a backup instead.
"""

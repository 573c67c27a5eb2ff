"""Serving: the current model, live changes of the catalog and of users, and experiments."""

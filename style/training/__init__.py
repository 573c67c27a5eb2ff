"""Recipes that train the networks that ship. Each can be stopped at any moment and resumed."""

"""Data of a project: its folder, imports, identifiers, catalog, interactions and splits."""

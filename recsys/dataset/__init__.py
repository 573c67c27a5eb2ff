"""Data in: the project folder, imports, identifiers, catalog, interactions and splits."""

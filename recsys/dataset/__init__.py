"""Data in: the project folder, imports, identifiers, catalogue, interactions and splits."""

"""Provenance of restyled images: embedded mark, sidecar file, signed credentials."""

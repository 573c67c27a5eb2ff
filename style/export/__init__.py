"""Export of engines' networks to files for other runtimes; see `style.export.export`."""

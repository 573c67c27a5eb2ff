"""Networks of engines as files for other runtimes, each run back and compared; see `style.export.export`."""

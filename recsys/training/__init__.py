"""From data to a bundle: build, and fit the blend."""

"""Classic image processing before a photo is embedded or restyled: steps, and recipes of steps."""

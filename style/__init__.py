"""Style vectors from pixels, and restyled pixels from style vectors. Knows no users and never imports `recsys`."""

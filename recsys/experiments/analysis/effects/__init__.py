"""Effects seen in more detail: over time, by day since the first exposure, and together with other experiments."""

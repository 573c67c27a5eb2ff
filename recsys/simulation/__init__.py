"""People with hidden tastes before the real pipeline: what an experiment must find is known beforehand."""

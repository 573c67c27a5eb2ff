"""Preferences of users, drawn alike by all simulators: popularity of items, categories, second styles."""

from __future__ import annotations

import numpy as np

from recsys.simulation.activity import Values

SECOND_STYLE_SHARE = 0.4
"""Share of users with a second style."""
CATEGORY_CONCENTRATION = 0.4
"""Below 1: most users buy from a few categories."""
POPULARITY_EXPONENT = 0.8
"""Exponent of Zipf's law."""


def draw_popularity(
    random: np.random.Generator, count: int, exponent: float = POPULARITY_EXPONENT, offset: float = 1.0
) -> Values:
    """Draw the popularity of items (count,) by Zipf's law: (rank + offset)^-exponent, ranks from 0 in random order."""
    return np.asarray((random.permutation(count) + offset) ** -exponent)


def draw_category_shares(random: np.random.Generator, categories: int, count: int) -> Values:
    """Draw the shares of categories that users like (count, categories): sparse Dirichlet draws."""
    return np.asarray(random.dirichlet(np.full(categories, CATEGORY_CONCENTRATION), count))

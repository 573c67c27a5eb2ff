"""Categories of several parts, as in `Comedy|Drama`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recsys.schema import FloatArray


def category_groups(categories: Sequence[str]) -> FloatArray:
    """(I, G): the share of each item in each category; several, as in `Comedy|Drama`, share alike (Steck 2018).

    Columns are the categories by name; an item without one ("") is in none.
    """
    parts = [sorted({part for part in category.split("|") if part}) for category in categories]
    names = sorted({part for each in parts for part in each})
    column = {name: place for place, name in enumerate(names)}
    shares = np.zeros((len(parts), len(names)), dtype=np.float32)
    for row, each in enumerate(parts):
        for part in each:
            shares[row, column[part]] = 1.0 / len(each)
    return shares

"""Categories of several parts, as in `Comedy|Drama`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recsys.schema import FloatArray


def category_groups(categories: Sequence[str]) -> FloatArray:
    """Return (I, G) shares of items in categories; several, as in `Comedy|Drama`, have equal shares (Steck 2018).

    Columns are the categories in the order of their names; an item without one ("") has only zeros.
    """
    parts = [sorted({part for part in category.split("|") if part}) for category in categories]
    names = sorted({part for each in parts for part in each})
    column = {name: index for index, name in enumerate(names)}
    shares = np.zeros((len(parts), len(names)), dtype=np.float32)
    for row, each in enumerate(parts):
        for part in each:
            shares[row, column[part]] = 1.0 / len(each)
    return shares

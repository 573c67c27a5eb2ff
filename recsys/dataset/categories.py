"""Categories of several parts, as in `Comedy|Drama`, and paths in a tree, as in `Clothing > Hats`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from recsys.schema import FloatArray

Path = tuple[str, ...]

_LISTS = (re.compile(r"[|;]"), re.compile(r"[|;,]"))
"""Signs between several paths: without the comma, which names such as "Tables, lamps" contain, and with it."""
_LEVELS = re.compile(r"\s*(?:>|/|»|›|→|->|::|\\)+\s*")
_CODES = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")


def category_groups(categories: Sequence[str]) -> FloatArray:
    """Return (I, G) shares of items in categories; several, as in `Comedy|Drama`, have equal shares (Steck 2018).

    Columns are the categories in the order of their names; an item without one ("") has only zeros. A path counts as
    one category, its last level.
    """
    parts = [sorted({part for part in category.split("|") if part}) for category in categories]
    names = sorted({part for each in parts for part in each})
    column = {name: index for index, name in enumerate(names)}
    shares = np.zeros((len(parts), len(names)), dtype=np.float32)
    for row, each in enumerate(parts):
        for part in each:
            shares[row, column[part]] = 1.0 / len(each)
    return shares


def category_path(text: str) -> Path:
    """Return the levels of one path: `Clothing > Hats`, `Clothing/Hats` and `clothing.hats` have two."""
    stripped = text.strip()
    levels = stripped.split(".") if _CODES.fullmatch(stripped) else _LEVELS.split(stripped)
    return tuple(level.strip() for level in levels if level.strip())


def category_paths(category: str) -> set[Path]:
    """Return the paths of a category; `Clothing, Clothing > Shirts` has two.

    A comma may also be part of a name, so paths are read with and without splitting at commas: both can be asked for.
    """
    paths = {category_path(part) for pattern in _LISTS for part in pattern.split(category)}
    return paths - {()}


def in_category(category: str, wanted: str) -> bool:
    """Return True if an item's category is `wanted`, has it as a part, or has it as levels that follow each other."""
    if category == wanted:
        return True
    levels = category_path(wanted)
    size = len(levels)
    return bool(size) and any(
        path[start : start + size] == levels
        for path in category_paths(category)
        for start in range(len(path) - size + 1)
    )

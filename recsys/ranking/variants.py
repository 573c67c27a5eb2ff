"""Variants of one product, such as sizes of a shirt: they share one position in a list.

Items with the same `item_group_id` are variants; `Catalog.groups` has their codes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TypeVar

import numpy as np

from recsys.schema import BoolArray, IntArray

T = TypeVar("T")


class Variants(StrEnum):
    """Treatment of variants in a list: the best one of each product, or all of them as items of their own."""

    ONE = "one"
    ALL = "all"


def with_siblings(mask: BoolArray, groups: IntArray | None) -> BoolArray:
    """Return a mask (I,) of the items of `mask` (I,) and of all variants of them; `groups` (I,) None: no variants."""
    if groups is None or not mask.any():
        return mask
    hit = np.zeros(int(groups.max()) + 1, dtype=np.bool_)
    hit[groups[mask]] = True
    return np.asarray(hit[groups])


def first_of_groups(rows: IntArray, groups: IntArray) -> IntArray:
    """Return the positions in `rows` (n,) of the first item of each group, ascending."""
    return np.sort(np.unique(groups[rows], return_index=True)[1])


def one_per_group(
    find: Callable[[int], Sequence[T]], row_of: Callable[[T], int], limit: int, groups: IntArray | None
) -> Sequence[T]:
    """Return the first `limit` results of a search with one per group; `groups` (I,) None: all of them.

    Args:
        find: Search for a number of results, best first; it returns fewer only if there are no more.
        row_of: Item row of a result.
        limit: Largest number of results.
        groups: (I,) codes of the groups.
    """
    if groups is None:
        return find(limit)
    count = limit
    while True:
        found = find(count)
        first = first_of_groups(np.array([row_of(one) for one in found], dtype=np.int64), groups)[:limit]
        if len(first) == limit or len(found) < count:
            return [found[position] for position in first.tolist()]
        count *= 4

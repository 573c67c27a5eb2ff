"""Exploration: some places of a list go to items that hardly anybody has touched, with known probabilities.

Each place is explored with probability `share`, independently (epsilon-greedy by slot); an explored place gets an item
of the pool, all equally probable, and the list goes on below it. What is logged is the marginal propensity: over all
draws, how probable it was that this item stood in this place. Weights of 1 / propensity then estimate without bias what
another ranking would have earned, where a click depends on item and place (the item-position model: Li et al. 2018,
"Offline evaluation of ranking policies with click models").
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, comb
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.schema import BoolArray, IntArray

LITTLE_KNOWN = 0.25
"""The share of the allowed items that counts as little known: those that the fewest people have touched."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """A list of k items: `rows` (k,), the `propensities` (k,) in (0, 1] with which each came to its place, and which
    are `explored` (k,)."""

    rows: IntArray
    propensities: NDArray[np.float64]
    explored: BoolArray

    @classmethod
    def certain(cls, rows: IntArray) -> Self:
        """A list in which nothing is random."""
        return cls(rows, np.ones(len(rows)), np.zeros(len(rows), dtype=np.bool_))


def explore(listed: IntArray, pool: IntArray, share: float, random: np.random.Generator) -> Places:
    """The list (k,) with some places given to the pool (m,), which must have no item in common with it.

    Where the pool is smaller than the list, only the last m places are open to exploration, so that it never runs out.
    With i of the open places above, a listed item that has moved down by d stands where it does with probability
    C(i, d) share^d (1 - share)^(i - d), times 1 - share if its own place is open; an explored one with share / m.
    """
    closed = max(0, len(listed) - len(pool))
    explored = random.random(len(listed)) < share
    explored[:closed] = False
    count = int(explored.sum())
    # A random order gives each place, whichever are explored, any item of the pool with the same probability.
    drawn = pool[random.permutation(len(pool))[:count]]
    rows = np.empty_like(listed)
    rows[explored], rows[~explored] = drawn, listed[: len(listed) - count]
    moved = np.cumsum(explored)
    stays = [_stays(place, int(moved[place]), closed, share) for place in range(len(listed))]
    return Places(rows, np.where(explored, share / max(len(pool), 1), stays), explored)


def _stays(place: int, moved: int, closed: int, share: float) -> float:
    """The probability that `moved` of the open places above `place` are explored, and it is not."""
    if place < closed:
        return 1.0
    above = place - closed
    return float(comb(above, moved) * share**moved * (1 - share) ** (above - moved + 1))


@dataclass(frozen=True, slots=True, eq=False)
class LongTail:
    """Items by how many people have touched them, fewest first: `order` (I,) rows."""

    order: IntArray

    @classmethod
    def of(cls, seen: csr_matrix) -> Self:
        """From `seen` (U, I), an entry wherever a user touched an item."""
        touched = np.bincount(seen.indices, minlength=seen.shape[1])
        return cls(np.argsort(touched, kind="stable"))

    def among(self, allowed: BoolArray, besides: IntArray) -> BoolArray:
        """The little known ones (I,) of the `allowed` (I,), without the rows `besides` (k,)."""
        open_ = allowed.copy()
        open_[besides] = False
        ranked = self.order[open_[self.order]]
        known = np.zeros_like(allowed)
        known[ranked[: ceil(LITTLE_KNOWN * len(ranked))]] = True
        return known

"""Exploration: some positions of a list go to long-tail items, with known probabilities.

Each position is explored with probability `share`, independently (epsilon-greedy by slot). An explored position gets an
item of the pool, all equally probable, and the list continues below it. The logged number is the marginal propensity:
the probability, over all draws, that this item stands in this position. Weights of 1 / propensity then estimate without
bias the clicks of another ranking, if a click depends on item and position (the item-position model: Li et al. 2018,
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

LONG_TAIL = 0.25
"""Share of the allowed items that are the long tail: those with the fewest users."""


@dataclass(frozen=True, slots=True, eq=False)
class ExploredList:
    """List of k items.

    Attributes:
        rows: (k,) rows of the items.
        propensities: (k,) probability in (0, 1] of each item in its position.
        explored: (k,) True for items that exploration put there.
    """

    rows: IntArray
    propensities: NDArray[np.float64]
    explored: BoolArray

    @classmethod
    def without_exploration(cls, rows: IntArray) -> Self:
        """Return a list in which nothing is random."""
        return cls(rows, np.ones(len(rows)), np.zeros(len(rows), dtype=np.bool_))


def explore(listed: IntArray, pool: IntArray, share: float, random: np.random.Generator) -> ExploredList:
    """Give some positions of a list to items of a pool.

    If the pool is smaller than the list, only the last m positions are open to exploration, so that it never runs out.
    With i open positions above, a listed item that has moved down by d stands there with probability
    C(i, d) share^d (1 - share)^(i - d), times 1 - share if its own position is open; an explored one with share / m.

    Args:
        listed: (k,) rows of the list, best first.
        pool: (m,) rows to explore, none of them in the list.
        share: Probability with which a position is explored.
        random: Source of the draws.
    """
    closed = max(0, len(listed) - len(pool))
    explored = random.random(len(listed)) < share
    explored[:closed] = False
    count = int(explored.sum())
    # A random order gives each explored position any item of the pool with the same probability.
    drawn = pool[random.permutation(len(pool))[:count]]
    rows = np.empty_like(listed)
    rows[explored], rows[~explored] = drawn, listed[: len(listed) - count]
    # Each explored position above moves a listed item down by one.
    moved = np.cumsum(explored)
    stays = [_stay_probability(index, int(moved[index]), closed, share) for index in range(len(listed))]
    return ExploredList(rows, np.where(explored, share / max(len(pool), 1), stays), explored)


def _stay_probability(index: int, moved: int, closed: int, share: float) -> float:
    """Return the probability that `moved` open positions above are explored, and the one at `index` is not."""
    if index < closed:
        return 1.0
    above = index - closed
    return float(comb(above, moved) * share**moved * (1 - share) ** (above - moved + 1))


@dataclass(frozen=True, slots=True, eq=False)
class LongTail:
    """Items by number of users with an interaction, fewest first: `order` (I,) rows."""

    order: IntArray

    @classmethod
    def from_interactions(cls, interacted: csr_matrix) -> Self:
        """Order items by `interacted` (U, I), which has an entry for each pair with an interaction."""
        users = np.bincount(interacted.indices, minlength=interacted.shape[1])
        return cls(np.argsort(users, kind="stable"))

    def among(self, allowed: BoolArray, besides: IntArray) -> BoolArray:
        """Return a mask (I,) of the long tail of the `allowed` items (I,), without the rows `besides` (k,)."""
        candidates = allowed.copy()
        candidates[besides] = False
        ranked = self.order[candidates[self.order]]
        mask = np.zeros_like(allowed)
        mask[ranked[: ceil(LONG_TAIL * len(ranked))]] = True
        return mask

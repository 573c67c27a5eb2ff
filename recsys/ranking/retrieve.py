"""Retrieval of candidates: the best allowed items of six sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from recsys.index.base import VectorIndex
from recsys.index.faiss_index import FaissIndex
from recsys.index.grown import GrownIndex
from recsys.models.als import AlsModel
from recsys.profiles.cold_start import Profile
from recsys.profiles.style_space import StyleSpace
from recsys.ranked import NO_ROW
from recsys.schema import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Retriever:
    """Finds candidates in six sources.

    Factors and taste are searched by vector index, and neighbors by the profile's own scores. Popularity, trend and
    recency are fixed orders (I,), best first.
    """

    by_factors: VectorIndex
    by_style: VectorIndex
    by_popularity: IntArray
    by_trend: IntArray
    by_recency: IntArray

    @classmethod
    def build(
        cls,
        factors: AlsModel,
        space: StyleSpace,
        trend: FloatArray,
        recency: FloatArray,
        previous: Self | None = None,
        changed_rows: IntArray | None = None,
    ) -> Self:
        """Build the indexes, or add the new and changed items to those of `previous`.

        The item bias is one more dimension of the factors, against a constant 1 in each query.

        Args:
            factors: Factor model of the I items.
            space: Style space of the items.
            trend: (I,) present popularity.
            recency: (I,) how new items are; 0 means not new.
            previous: Retriever of the first of these items; its indexes are reused.
            changed_rows: (n,) rows of `previous` whose factors or directions differ.
        """
        biased = np.column_stack([factors.item_factors, factors.item_bias])
        orders = [np.argsort(-values, kind="stable") for values in (factors.item_bias, trend, recency)]
        # Items that are not new are no candidates of this source.
        orders[-1] = orders[-1][: np.count_nonzero(recency)]
        if previous is None:
            return cls(FaissIndex().build(biased), FaissIndex().build(space.directions), *orders)
        known = len(previous.by_popularity)
        others = np.zeros(0, dtype=np.int64) if changed_rows is None else changed_rows
        rows = np.concatenate([others, np.arange(known, len(biased))])
        by_factors = GrownIndex(previous.by_factors, known, biased[rows], others)
        return cls(by_factors, GrownIndex(previous.by_style, known, space.directions[rows], others), *orders)

    def candidates(self, profile: Profile, allowed: BoolArray, count: int) -> IntArray:
        """Return item rows (n,), ascending: up to `count` of each source, all of them `allowed` (I,).

        Popularity is always a source, so that at least min(count, allowed items) candidates come back for any profile.
        """
        fixed = (self.by_popularity, self.by_trend, self.by_recency)
        found = [_first(order, allowed, count) for order in fixed]
        if profile.neighbors is not None:
            found.append(_best(profile.neighbors, allowed, count))
        if profile.factors is not None:
            query = np.append(profile.factors, np.float32(1.0))[None]
            found.append(self.by_factors.search(query, count, allowed).rows.ravel())
        if profile.taste:
            found.append(self.by_style.search(profile.taste.directions, count, allowed).rows.ravel())
        # Sources overlap: of equal rows, which are adjacent once sorted, only the first stays.
        rows = np.sort(np.concatenate(found))
        first = np.append(True, rows[1:] != rows[:-1])
        return np.asarray(rows[first & (rows != NO_ROW)])

    def similar_styles(self, direction: FloatArray, allowed: BoolArray, count: int) -> tuple[IntArray, FloatArray]:
        """Return rows and cosines of the allowed items nearest to a direction (128,) in style, nearest first."""
        found = self.by_style.search(direction[None], count, allowed)
        present = found.rows[0] != NO_ROW
        return found.rows[0][present], found.scores[0][present]


def _best(scores: FloatArray, allowed: BoolArray, count: int) -> IntArray:
    """Return the rows (n,) of up to `count` best allowed scores (I,) above 0, in no order."""
    rows = np.flatnonzero(scores > 0)
    rows = rows[allowed[rows]]
    if len(rows) <= count:
        return rows
    return rows[np.argpartition(-scores[rows], count - 1)[:count]]


def _first(order: IntArray, allowed: BoolArray, count: int) -> IntArray:
    """Return the first `count` allowed rows of an order; it rarely takes a pass over all of it."""
    # Few rows are forbidden as a rule, so a short prefix holds enough allowed ones; it grows until it does.
    prefix = 4 * count
    while True:
        found = order[:prefix][allowed[order[:prefix]]]
        if len(found) >= count or prefix >= len(order):
            return found[:count]
        prefix *= 8

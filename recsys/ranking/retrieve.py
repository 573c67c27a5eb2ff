"""Candidates: the best allowed items of every source."""

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
    """Six sources: factors and taste by vector index; neighbors by the profile's own scores; what is popular, rising
    and new by fixed orders (I,), best first."""

    by_factors: VectorIndex
    by_style: VectorIndex
    by_popularity: IntArray
    by_trend: IntArray
    by_freshness: IntArray

    @classmethod
    def of(
        cls,
        factors: AlsModel,
        space: StyleSpace,
        trend: FloatArray,
        fresh: FloatArray,
        previous: Self | None = None,
        changed_rows: IntArray | None = None,
    ) -> Self:
        """Build the indexes, or add the new and changed items to those of `previous`.

        The item bias is one more dimension of the factors, against a constant 1 in each query.

        Args:
            factors: Factor model of the I items.
            space: Style space of the items.
            trend: (I,) present popularity.
            fresh: (I,) how new items are; 0 means not new.
            previous: Retriever of the first of these items; its indexes are reused.
            changed_rows: (n,) rows of `previous` whose factors or directions differ.
        """
        biased = np.column_stack([factors.item_factors, factors.item_bias])
        orders = [np.argsort(-values, kind="stable") for values in (factors.item_bias, trend, fresh)]
        orders[-1] = orders[-1][: np.count_nonzero(fresh)]
        if previous is None:
            return cls(FaissIndex().build(biased), FaissIndex().build(space.directions), *orders)
        known = len(previous.by_popularity)
        others = np.zeros(0, dtype=np.int64) if changed_rows is None else changed_rows
        rows = np.concatenate([others, np.arange(known, len(biased))])
        by_factors = GrownIndex(previous.by_factors, known, biased[rows], others)
        return cls(by_factors, GrownIndex(previous.by_style, known, space.directions[rows], others), *orders)

    def candidates(self, profile: Profile, allowed: BoolArray, count: int) -> IntArray:
        """Item rows (n,), ascending: up to `count` of each source, all `allowed` (I,).

        Popularity is always a source, so that min(count, allowed items) candidates come back whatever is known.
        """
        fixed = (self.by_popularity, self.by_trend, self.by_freshness)
        found = [_first(order, allowed, count) for order in fixed]
        if profile.neighbors is not None:
            found.append(_best(profile.neighbors, allowed, count))
        if profile.factors is not None:
            query = np.append(profile.factors, np.float32(1.0))[None]
            found.append(self.by_factors.search(query, count, allowed).rows.ravel())
        if profile.taste:
            found.append(self.by_style.search(profile.taste.directions, count, allowed).rows.ravel())
        rows = np.sort(np.concatenate(found))
        first = np.append(True, rows[1:] != rows[:-1])
        return np.asarray(rows[first & (rows != NO_ROW)])

    def similar_styles(self, direction: FloatArray, allowed: BoolArray, count: int) -> tuple[IntArray, FloatArray]:
        """The allowed items nearest to a direction (128,) in style: rows and cosines, nearest first."""
        found = self.by_style.search(direction[None], count, allowed)
        here = found.rows[0] != NO_ROW
        return found.rows[0][here], found.scores[0][here]


def _best(scores: FloatArray, allowed: BoolArray, count: int) -> IntArray:
    """The rows (n,) of up to `count` best allowed scores (I,) above 0, in no order."""
    rows = np.flatnonzero(scores > 0)
    rows = rows[allowed[rows]]
    if len(rows) <= count:
        return rows
    return rows[np.argpartition(-scores[rows], count - 1)[:count]]


def _first(order: IntArray, allowed: BoolArray, count: int) -> IntArray:
    """The first `count` allowed rows of an order, without a pass over all of it where few rows are forbidden."""
    looked_at = 4 * count
    while True:
        found = order[:looked_at][allowed[order[:looked_at]]]
        if len(found) >= count or looked_at >= len(order):
            return found[:count]
        looked_at *= 8

"""Candidates: the best allowed items of every source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from recsys.index.base import VectorIndex
from recsys.index.faiss_index import FaissIndex
from recsys.models.als import AlsModel
from recsys.profiles.cold_start import Profile
from recsys.profiles.style_space import StyleSpace
from recsys.ranked import NO_ROW
from recsys.schema import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Retriever:
    """Four sources: factors and taste by vector index, popularity and trend by fixed orders (I,), best first."""

    by_factors: VectorIndex
    by_style: VectorIndex
    by_popularity: IntArray
    by_trend: IntArray

    @classmethod
    def of(cls, factors: AlsModel, space: StyleSpace, trend: FloatArray) -> Self:
        """Build the indexes; `trend` (I,) is what is popular now.

        The item bias rides along as one more dimension, against a constant 1 of the user.
        """
        biased = np.column_stack([factors.item_factors, factors.item_bias])
        orders = [np.argsort(-popularity, kind="stable") for popularity in (factors.item_bias, trend)]
        return cls(FaissIndex().build(biased), FaissIndex().build(space.directions), *orders)

    def candidates(self, profile: Profile, allowed: BoolArray, count: int) -> IntArray:
        """Item rows (n,), ascending: up to `count` of each source, all `allowed` (I,).

        Popularity is always a source, so that min(count, allowed items) candidates come back whatever is known.
        """
        found = [_first(order, allowed, count) for order in (self.by_popularity, self.by_trend)]
        if profile.factors is not None:
            query = np.append(profile.factors, np.float32(1.0))[None]
            found.append(self.by_factors.search(query, count, allowed).rows.ravel())
        if profile.taste:
            found.append(self.by_style.search(profile.taste.directions, count, allowed).rows.ravel())
        rows = np.unique(np.concatenate(found))
        return np.asarray(rows[rows != NO_ROW])

    def similar_styles(self, direction: FloatArray, allowed: BoolArray, count: int) -> tuple[IntArray, FloatArray]:
        """The allowed items nearest to a direction (128,) in style: rows and cosines, nearest first."""
        found = self.by_style.search(direction[None], count, allowed)
        here = found.rows[0] != NO_ROW
        return found.rows[0][here], found.scores[0][here]


def _first(order: IntArray, allowed: BoolArray, count: int) -> IntArray:
    """The first `count` allowed rows of an order, without a pass over all of it where few rows are forbidden."""
    looked_at = 4 * count
    while True:
        found = order[:looked_at][allowed[order[:looked_at]]]
        if len(found) >= count or looked_at >= len(order):
            return found[:count]
        looked_at *= 8

"""Features of candidates: few numbers with meanings, which the blend turns into a score."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recsys.dataset.catalog import Catalog
from recsys.models.als import AlsModel
from recsys.profiles.cold_start import Profile
from recsys.profiles.style_space import StyleSpace
from recsys.schema import FEATURES, FloatArray, IntArray

SAME_FOR_ALL = ("popularity", "trend", "recency")
"""Features that do not depend on the user."""


@dataclass(frozen=True, eq=False)
class Features:
    """Computes the features of candidates for one profile.

    Attributes:
        catalog: The I items.
        factors: Factor model of the items.
        space: Style space of the items.
        trend: (I,) in [0, 1].
        recency: (I,) in [0, 1].
    """

    catalog: Catalog
    factors: AlsModel
    space: StyleSpace
    trend: FloatArray
    recency: FloatArray

    def table(self, profile: Profile, rows: IntArray) -> FloatArray:
        """Return features (n, len(FEATURES)) of candidate item rows (n,)."""
        zeros = np.zeros(len(rows), dtype=np.float32)
        columns = {
            "factors": zeros if profile.factors is None else self.factors.item_factors[rows] @ profile.factors,
            "neighbors": zeros if profile.neighbors is None else profile.neighbors[rows],
            "style": profile.taste.match(self.space.directions[rows]),
            "popularity": self.factors.item_bias[rows] / self.most_popular,
            "trend": self.trend[rows],
            "recency": self.recency[rows],
            "category": self._category(profile, rows),
            "price": self._price(profile, rows),
        }
        table = np.empty((len(rows), len(FEATURES)), dtype=np.float32)
        for index, name in enumerate(FEATURES):
            table[:, index] = columns[name]
        return table

    @cached_property
    def most_popular(self) -> float:
        """Largest item bias, above 0."""
        return max(float(self.factors.item_bias.max()), 1e-9)

    def _category(self, profile: Profile, rows: IntArray) -> FloatArray:
        codes = self.catalog.category_codes
        liked = np.bincount(codes[profile.liked], weights=profile.weights, minlength=len(self.catalog.category_names))
        return (liked[codes[rows]] / max(float(liked.sum()), 1e-9)).astype(np.float32)

    def _price(self, profile: Profile, rows: IntArray) -> FloatArray:
        prices = self.catalog.prices
        # Unknown prices are NaN, and free items have no logarithm: both fail this comparison.
        known = prices[profile.liked] > 0
        if not known.any():
            return np.zeros(len(rows), dtype=np.float32)
        usual = np.average(np.log(prices[profile.liked][known]), weights=profile.weights[known])
        with np.errstate(divide="ignore"):
            closeness = np.exp(-np.abs(np.log(prices[rows]) - usual))
        return np.where(prices[rows] > 0, closeness, 0.0).astype(np.float32)

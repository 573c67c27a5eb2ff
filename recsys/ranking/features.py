"""Rank: a blend of few features with meanings, by weights or curves that are fitted on held-out later events."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recsys.dataset.catalog import Catalog
from recsys.models.als import AlsModel
from recsys.profiles.cold_start import Profile
from recsys.profiles.style_space import StyleSpace
from recsys.schema import FEATURES, BoolArray, FloatArray, IntArray

SAME_FOR_ALL = ("popularity", "trend", "fresh")
"""Features that rank alike for everybody."""


@dataclass(frozen=True, eq=False)
class Features:
    """Computes the features of candidates for one profile; `trend` and `fresh` (I,) in [0, 1], `untouched` (I,) where
    nobody has touched an item yet."""

    catalog: Catalog
    factors: AlsModel
    space: StyleSpace
    trend: FloatArray
    fresh: FloatArray
    untouched: BoolArray

    def table(self, profile: Profile, rows: IntArray) -> FloatArray:
        """(n, len(FEATURES)) for candidate item rows (n,)."""
        columns = {
            "factors": self._factors(profile, rows),
            "neighbors": self._neighbors(profile, rows),
            "style": profile.taste.match(self.space.directions[rows]),
            "popularity": self.factors.item_bias[rows] / self.most_popular,
            "trend": self.trend[rows],
            "fresh": self.fresh[rows],
            "category": self._category(profile, rows),
            "price": self._price(profile, rows),
        }
        table = np.empty((len(rows), len(FEATURES)), dtype=np.float32)
        for place, name in enumerate(FEATURES):
            table[:, place] = columns[name]
        return table

    @cached_property
    def most_popular(self) -> float:
        """The largest item bias, above 0."""
        return max(float(self.factors.item_bias.max()), 1e-9)

    def _factors(self, profile: Profile, rows: IntArray) -> FloatArray:
        if profile.factors is None:
            return np.zeros(len(rows), dtype=np.float32)
        return self.factors.item_factors[rows] @ profile.factors

    def _neighbors(self, profile: Profile, rows: IntArray) -> FloatArray:
        if profile.neighbors is None:
            return np.zeros(len(rows), dtype=np.float32)
        return profile.neighbors[rows]

    def _category(self, profile: Profile, rows: IntArray) -> FloatArray:
        codes = self.catalog.category_codes
        liked = np.bincount(codes[profile.liked], weights=profile.say, minlength=len(self.catalog.category_names))
        return (liked[codes[rows]] / max(float(liked.sum()), 1e-9)).astype(np.float32)

    def _price(self, profile: Profile, rows: IntArray) -> FloatArray:
        prices = self.catalog.prices
        known = prices[profile.liked] > 0
        if not known.any():
            return np.zeros(len(rows), dtype=np.float32)
        usual = np.average(np.log(prices[profile.liked][known]), weights=profile.say[known])
        with np.errstate(divide="ignore"):
            closeness = np.exp(-np.abs(np.log(prices[rows]) - usual))
        return np.where(prices[rows] > 0, closeness, 0.0).astype(np.float32)

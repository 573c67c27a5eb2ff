"""Rank: a blend of few features with meanings, by weights or curves that are fitted on held-out later events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from recsys.dataset.catalog import Catalog
from recsys.models.als import AlsModel
from recsys.pipeline.curves import Curves
from recsys.profiles.cold_start import Profile
from recsys.profiles.style_space import StyleSpace
from recsys.schema import FEATURES as FEATURES
from recsys.schema import BoolArray, FloatArray, IntArray

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
            "neighbours": self._neighbours(profile, rows),
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

    def _neighbours(self, profile: Profile, rows: IntArray) -> FloatArray:
        if profile.neighbours is None:
            return np.zeros(len(rows), dtype=np.float32)
        return profile.neighbours[rows]

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


@dataclass(frozen=True, slots=True)
class Blend:
    """A weight (at least 0) per feature, the score being the weighted sum; or, where they did better, `curves`.

    `new_weights` are for items that nobody has touched: of these only pictures, category and price say something, and
    factors are guessed from the picture, so that what is right for the others is not right for them. `new_offset` is
    what they get for being new, as part of the feature `fresh`. `weighted`: features that count by their weight though
    there are curves.
    """

    weights: Mapping[str, float]
    new_weights: Mapping[str, float]
    new_offset: float = 0.0
    curves: Curves | None = None
    weighted: frozenset[str] = frozenset()

    def reweighted(self, weights: Mapping[str, float]) -> Blend:
        """This blend with the weights of some features in place of what was fitted for them, also for new items.

        The others keep their weights or curves, and new items their offset; where there are curves, a weight is on
        their scale, which contributions tell.
        """
        return replace(
            self,
            weights={**self.weights, **weights},
            new_weights={**self.new_weights, **weights},
            weighted=self.weighted | set(weights),
        )

    def contributions(self, table: FloatArray, new: BoolArray) -> FloatArray:
        """What each feature adds to the score, (n, len(FEATURES)).

        From the table of all candidates (n, len(FEATURES)) and which of them are new items (n,).
        """
        others = table * _row(self.weights)
        if self.curves is not None:
            curved = self.curves.contributions(table)
            others = np.where([name in self.weighted for name in FEATURES], others, curved)
        if not new.any():
            return others
        own = table * _row(self.new_weights)
        own[:, FEATURES.index("fresh")] += np.float32(self.new_offset)
        return np.where(new[:, None], own, others)


def _row(weights: Mapping[str, float]) -> FloatArray:
    return np.array([weights[name] for name in FEATURES], dtype=np.float32)

"""Blend: the score of a candidate as a weighted sum of its features, or as curves fitted on held-out events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from recsys.models.curves import Curves
from recsys.schema import FEATURES, BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Blend:
    """Weights of features, or curves if they ranked held-out events better.

    Cold items have weights of their own: only their photo, category and price are informative, and their factors are
    guessed from the photo, so that the weights of other items do not suit them.

    Attributes:
        weights: Weight (at least 0) of each feature; the score is the weighted sum.
        new_weights: Weights for cold items.
        new_offset: Added to the score of cold items, as part of the feature `recency`.
        curves: Curves in place of the weights.
        weighted: Features that count by their weight although there are curves.
    """

    weights: Mapping[str, float]
    new_weights: Mapping[str, float]
    new_offset: float = 0.0
    curves: Curves | None = None
    weighted: frozenset[str] = frozenset()

    def with_weights(self, weights: Mapping[str, float]) -> Blend:
        """Return this blend with other weights for some features, also for cold items.

        The other features keep their weights or curves, and cold items their offset. If there are curves, the new
        weights should be on their scale, which contributions show.
        """
        return replace(
            self,
            weights={**self.weights, **weights},
            new_weights={**self.new_weights, **weights},
            weighted=self.weighted | set(weights),
        )

    def contributions(self, table: FloatArray, cold: BoolArray) -> FloatArray:
        """Return the part of each feature in the score, (n, len(FEATURES)).

        Args:
            table: (n, len(FEATURES)) features of all candidates, since curves compare candidates with each other.
            cold: (n,) mask of the cold items among them.
        """
        others = table * _row(self.weights)
        if self.curves is not None:
            curved = self.curves.contributions(table)
            others = np.where([name in self.weighted for name in FEATURES], others, curved)
        if not cold.any():
            return others
        own = table * _row(self.new_weights)
        own[:, FEATURES.index("recency")] += np.float32(self.new_offset)
        return np.where(cold[:, None], own, others)


def _row(weights: Mapping[str, float]) -> FloatArray:
    return np.array([weights[name] for name in FEATURES], dtype=np.float32)

"""Blend: the score of a candidate as a weighted sum of its features, or as curves fitted on held-out events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from recsys.models.curves import Curves
from recsys.schema import FEATURES, BoolArray, FloatArray


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

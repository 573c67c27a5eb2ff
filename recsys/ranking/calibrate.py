"""Calibration: a user who likes 70 % marble and 30 % tartan gets a list of about that mix, not only marble.

Ranking by relevance gives everything to the larger interest. The list is chosen greedily for
(1 - weight) * value - weight * divergence of its mix from the target mix.
Source: Steck 2018 (RecSys), equations 5 to 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.profiles.taste import Taste
from recsys.schema import FloatArray, IntArray

SMOOTHING = 0.01
"""Steck's alpha: share of the target mixed into the list's own mix, so that the divergence stays finite."""
PRIOR = 5.0
"""Weight of the candidates' own mix beside a history, in events of weight 1."""


@dataclass(frozen=True, slots=True, eq=False)
class TargetMix:
    """Target mix of G groups, and the groups of n candidates.

    Attributes:
        target: (G,) share of each group, positive, sum 1.
        groups: (n, G) share of each candidate in each group.
        counts: (n,) 1 for a candidate in any group, inside or outside the target, else 0.
    """

    target: FloatArray
    groups: FloatArray
    counts: FloatArray


def taste_mix(taste: Taste, directions: FloatArray) -> TargetMix | None:
    """Return the mix of a taste's components, or None for a taste of fewer than two, since any list has that mix.

    Candidates with directions (n, 128) belong to the component that they fit best; those without a photo to none.
    """
    if len(taste.shares) < 2:
        return None
    has_style = np.asarray(directions.any(axis=1), dtype=np.bool_)
    groups = np.zeros((len(directions), len(taste.shares)), dtype=np.float32)
    groups[has_style, taste.best_components(directions[has_style])] = 1.0
    return TargetMix(taste.shares, groups, has_style.astype(np.float32))


def category_mix(shares: FloatArray, liked: IntArray, weights: FloatArray, codes: IntArray) -> TargetMix | None:
    """Return the mix of categories among liked items, or None if no liked item has a category.

    The candidates' own mix counts as PRIOR events: one click on a mug does not ask for a list of mugs only (Steck's
    p0).

    Args:
        shares: (C, G) share of each full category name in each category
            (`recsys.dataset.categories.category_groups`).
        liked: (m,) codes of the full names of liked items.
        weights: (m,) their weights as evidence, above 0.
        codes: (n,) codes of the full names of the candidates.
    """
    sums = np.bincount(liked, weights=weights, minlength=len(shares)) @ shares
    if not sums.any():
        return None
    groups = shares[codes]
    offered = groups.sum(axis=0)
    sums += PRIOR * offered / max(float(offered.sum()), 1e-9)
    # A group without a target share adds nothing to the divergence, but its 0 * log(0) would be NaN.
    targeted = np.flatnonzero(sums > 0)
    counts = np.asarray(groups.any(axis=1), dtype=np.float32)
    return TargetMix((sums[targeted] / sums.sum()).astype(np.float32), groups[:, targeted], counts)


class Calibration:
    """Lowers each candidate's value by the mean divergence, from the target mixes, of the list with that candidate."""

    def __init__(self, mixes: Sequence[TargetMix], weight: float) -> None:
        """Start with an empty list.

        Args:
            mixes: At least one, all of the same n candidates.
            weight: Steck's lambda, in [0, 1].
        """
        self._weight = weight
        self._running = [_RunningMix(mix) for mix in mixes]

    def adjust(self, values: FloatArray) -> FloatArray:
        """Return (1 - weight) * values - weight * divergence, (n,)."""
        divergence = sum(running.divergences() for running in self._running) / len(self._running)
        return np.asarray((1 - self._weight) * values - self._weight * divergence)

    def take(self, pick: int) -> None:
        """Add a candidate to the list."""
        for running in self._running:
            running.take(pick)


class _RunningMix:
    """Mix of a growing list."""

    def __init__(self, mix: TargetMix) -> None:
        self._mix = mix
        self._floor = SMOOTHING * mix.target
        self._entropy = float(mix.target @ np.log(mix.target))
        self._sums = np.zeros_like(mix.target)
        self._count = 0.0

    def divergences(self) -> FloatArray:
        """Return the Kullback-Leibler divergence (n,), in nats, from the target to the list with each candidate."""
        counts = np.maximum(self._count + self._mix.counts, 1.0)
        mixes = (self._sums + self._mix.groups) / counts[:, None]
        return np.asarray(self._entropy - np.log((1 - SMOOTHING) * mixes + self._floor) @ self._mix.target)

    def take(self, pick: int) -> None:
        self._sums = self._sums + self._mix.groups[pick]
        self._count += float(self._mix.counts[pick])

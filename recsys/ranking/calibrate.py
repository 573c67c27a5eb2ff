"""Calibration: whoever likes 70 % marble and 30 % tartan gets a list of about that mix, not of marble alone.

Relevance alone gives the larger interest everything. The list is chosen greedily for
(1 - weight) * value - weight * divergence of its mix from the wanted one.
Source: Steck 2018 (RecSys), equations 5 to 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.profiles.taste import Taste
from recsys.schema import FloatArray, IntArray

SMOOTHING = 0.01
"""Steck's alpha: as much of what is wanted is mixed into the list's own mix, so that the divergence stays finite."""
PRIOR = 5.0
"""What the mix of the candidates counts beside a history, in events of say 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Mix:
    """A wanted mix of G groups, and in which groups n candidates are.

    `wanted` (G,) positive, sum 1; `groups` (n, G) the share of each candidate in each; `counts` (n,) 1 for a candidate
    that is in any group, wanted or not, else 0.
    """

    wanted: FloatArray
    groups: FloatArray
    counts: FloatArray


def taste_mix(taste: Taste, directions: FloatArray) -> Mix | None:
    """The mix of a taste's modes, or None for a taste of fewer than two: any list has that mix.

    Candidates, directions (n, 128), are of the mode that they fit best, those without a picture of none.
    """
    if len(taste.shares) < 2:
        return None
    pictured = np.asarray(directions.any(axis=1), dtype=np.bool_)
    groups = np.zeros((len(directions), len(taste.shares)), dtype=np.float32)
    groups[pictured, taste.best_modes(directions[pictured])] = 1.0
    return Mix(taste.shares, groups, pictured.astype(np.float32))


def category_mix(shares: FloatArray, liked: IntArray, say: FloatArray, codes: IntArray) -> Mix | None:
    """The mix of categories among what was liked, or None where nothing liked has one.

    `shares` (C, G): of each whole category name in each category (`recsys.dataset.categories.category_groups`);
    `liked` (m,) codes of whole names with their `say` (m,) > 0; `codes` (n,) those of the candidates. The candidates'
    own mix counts as PRIOR events: after one click on a mug, a list of mugs alone is not what is wanted (Steck's p0).
    """
    sums = np.bincount(liked, weights=say, minlength=len(shares)) @ shares
    if not sums.any():
        return None
    groups = shares[codes]
    offered = groups.sum(axis=0)
    sums += PRIOR * offered / max(float(offered.sum()), 1e-9)
    wanted = np.flatnonzero(sums > 0)
    counts = np.asarray(groups.any(axis=1), dtype=np.float32)
    return Mix((sums[wanted] / sums.sum()).astype(np.float32), groups[:, wanted], counts)


class Calibration:
    """Takes from each candidate's value how far the list with it would be from the wanted mixes, on average."""

    def __init__(self, mixes: Sequence[Mix], weight: float) -> None:
        """At least one of `mixes`, all of the same n candidates; `weight` in [0, 1] is Steck's lambda."""
        self._weight = weight
        self._running = [_RunningMix(mix) for mix in mixes]

    def adjusted(self, values: FloatArray) -> FloatArray:
        """(1 - weight) * values - weight * divergence, (n,)."""
        divergence = sum(running.divergences() for running in self._running) / len(self._running)
        return np.asarray((1 - self._weight) * values - self._weight * divergence)

    def take(self, pick: int) -> None:
        """Add a candidate to the list."""
        for running in self._running:
            running.take(pick)


class _RunningMix:
    """The mix of a list that grows."""

    def __init__(self, mix: Mix) -> None:
        self._mix = mix
        self._floor = SMOOTHING * mix.wanted
        self._entropy = float(mix.wanted @ np.log(mix.wanted))
        self._sums = np.zeros_like(mix.wanted)
        self._count = 0.0

    def divergences(self) -> FloatArray:
        """Kullback-Leibler divergence, in nats, of the list with each candidate from what is wanted, (n,)."""
        counts = np.maximum(self._count + self._mix.counts, 1.0)
        given = (self._sums + self._mix.groups) / counts[:, None]
        return np.asarray(self._entropy - np.log((1 - SMOOTHING) * given + self._floor) @ self._mix.wanted)

    def take(self, pick: int) -> None:
        self._sums = self._sums + self._mix.groups[pick]
        self._count += float(self._mix.counts[pick])

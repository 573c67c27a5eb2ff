"""Reranking: a list is chosen greedily from the best candidates, so that it is not ten items of one style.

The gain of each candidate for the list so far is a `Gain`: relevance only, maximal marginal relevance, or a
determinantal point process (`recsys.ranking.dpp`), with calibration (`recsys.ranking.calibrate`) around it if wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recsys.ranking.calibrate import Calibration, TargetMix
from recsys.ranking.dpp import Determinant
from recsys.schema import FloatArray, IntArray, Reranker

POOL = 5
"""The list is chosen from the best POOL * limit candidates, at least 50, so that diversity adds no unfit items."""


@dataclass(frozen=True, slots=True)
class Reranking:
    """Options of reranking: `diversity` in [0, 1] (0: relevance only), `calibration` in [0, 1] (0: off)."""

    reranker: Reranker
    diversity: float = 0.0
    calibration: float = 0.0


class Gain(Protocol):
    """Gain of each candidate for a list that grows one by one."""

    def values(self) -> FloatArray:
        """Return the gain of each candidate for the list so far, (n,)."""

    def take(self, pick: int) -> None:
        """Add a candidate to the list."""


def best_pool(scores: FloatArray, limit: int) -> IntArray:
    """Return positions of the candidates from which a list of `limit` is chosen, by scores (n,).

    The best come first; of equal scores the earlier.
    """
    return np.argsort(-scores, kind="stable")[: max(POOL * limit, 50)].astype(np.int64)


def rerank(
    scores: FloatArray, directions: FloatArray, limit: int, reranking: Reranking, mixes: Sequence[TargetMix] = ()
) -> IntArray:
    """Choose a list from candidates and return their positions (min(limit, n),), in order.

    Relevance is the score scaled to [0, 1] within the candidates. Of equal gains the earlier candidate is taken.

    Args:
        scores: (n,) scores of the candidates, best first, as from `best_pool`.
        directions: (n, D) their style directions, unit or zero.
        limit: Largest number of items.
        reranking: Options.
        mixes: Target mixes of the calibration.
    """
    limit = min(limit, len(scores))
    diversify = reranking.reranker is not Reranker.NONE and reranking.diversity > 0
    calibrate = bool(mixes) and reranking.calibration > 0
    if not limit or not (diversify or calibrate):
        return np.arange(limit, dtype=np.int64)
    low, high = float(scores.min()), float(scores.max())
    relevance = (scores - low) / max(high - low, 1e-9)
    gain: Gain = _Relevance(relevance)
    if diversify and reranking.reranker is Reranker.DPP:
        gain = Determinant(relevance, directions, limit, reranking.diversity)
    elif diversify:
        gain = _MarginalRelevance(relevance, directions, reranking.diversity)
    calibration = Calibration(mixes, reranking.calibration) if calibrate else None
    picks = np.empty(limit, dtype=np.int64)
    remaining = np.ones(len(scores), dtype=np.bool_)
    for index in range(limit):
        values = gain.values() if calibration is None else calibration.adjust(gain.values())
        pick = int(np.where(remaining, values, -np.inf).argmax())
        picks[index], remaining[pick] = pick, False
        gain.take(pick)
        if calibration is not None:
            calibration.take(pick)
    return picks


class _Relevance:
    """Gain by relevance (n,) only."""

    def __init__(self, relevance: FloatArray) -> None:
        self._relevance = relevance

    def values(self) -> FloatArray:
        return self._relevance

    def take(self, pick: int) -> None:
        """Do nothing: the gains of the others stay the same."""


class _MarginalRelevance:
    """Gain (1 - diversity) * relevance - diversity * (largest cosine to an item of the list).

    Source: Carbonell and Goldstein 1998.
    """

    def __init__(self, relevance: FloatArray, directions: FloatArray, diversity: float) -> None:
        self._relevance = (1 - diversity) * relevance
        self._similarity = diversity * (directions @ directions.T)
        self._closest = np.zeros(len(relevance), dtype=np.float32)

    def values(self) -> FloatArray:
        return self._relevance - self._closest

    def take(self, pick: int) -> None:
        self._closest = np.maximum(self._closest, self._similarity[pick])

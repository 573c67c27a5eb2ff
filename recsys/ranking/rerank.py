"""Rerank: a list is chosen greedily from the best candidates, so that it is not ten of the same look.

What each candidate would add to the list so far is a `Gain`: relevance alone, maximal marginal relevance, or a
determinantal point process (`recsys.ranking.dpp`), with calibration (`recsys.ranking.calibrate`) around it if wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recsys.ranking.calibrate import Calibration, Mix
from recsys.ranking.dpp import Determinant
from recsys.schema import BoolArray, FloatArray, IntArray, Reranker

POOL = 5
"""The list is chosen from the best POOL * limit candidates, at least 50: variety must not fetch what does not fit."""


@dataclass(frozen=True, slots=True)
class Reranking:
    """How a list is chosen: `diversity` in [0, 1] (0: relevance alone), `calibration` in [0, 1] (0: off)."""

    reranker: Reranker
    diversity: float = 0.0
    calibration: float = 0.0


class Gain(Protocol):
    """What candidates add to a list that grows one by one."""

    def values(self) -> FloatArray:
        """What each candidate would add to what was taken so far, (n,)."""

    def take(self, pick: int) -> None:
        """Add a candidate to the list."""


def best_pool(scores: FloatArray, limit: int) -> IntArray:
    """Positions of the candidates that a list of `limit` is chosen from, best first, by scores (n,). Equal ones: the
    earlier."""
    return np.argsort(-scores, kind="stable")[: max(POOL * limit, 50)].astype(np.int64)


def rerank(
    scores: FloatArray, directions: FloatArray, limit: int, reranking: Reranking, mixes: Sequence[Mix] = ()
) -> IntArray:
    """Positions (min(limit, n),) of the chosen candidates, in order, from scores (n,) and directions (n, D).

    Candidates come best first, as from `best_pool`; of equal ones the earlier is taken. `mixes` are what the list is
    calibrated to. Relevance is the score scaled to [0, 1] within the candidates.
    """
    limit = min(limit, len(scores))
    varied = reranking.reranker is not Reranker.NONE and reranking.diversity > 0
    calibrated = bool(mixes) and reranking.calibration > 0
    if not limit or not (varied or calibrated):
        return np.arange(limit, dtype=np.int64)
    gain = _gain(_unit_range(scores), directions, limit, reranking)
    calibration = Calibration(mixes, reranking.calibration) if calibrated else None
    open_ = np.ones(len(scores), dtype=np.bool_)
    return np.array([_next(gain, calibration, open_) for _ in range(limit)], dtype=np.int64)


def _gain(relevance: FloatArray, directions: FloatArray, limit: int, reranking: Reranking) -> Gain:
    if reranking.reranker is Reranker.NONE or reranking.diversity == 0:
        return _Relevance(relevance)
    if reranking.reranker is Reranker.DPP:
        return Determinant(relevance, directions, limit, reranking.diversity)
    return _MarginalRelevance(relevance, directions, reranking.diversity)


def _next(gain: Gain, calibration: Calibration | None, open_: BoolArray) -> int:
    values = gain.values() if calibration is None else calibration.adjusted(gain.values())
    pick = int(np.where(open_, values, -np.inf).argmax())
    open_[pick] = False
    gain.take(pick)
    if calibration is not None:
        calibration.take(pick)
    return pick


class _Relevance:
    """Relevance (n,) alone."""

    def __init__(self, relevance: FloatArray) -> None:
        self._relevance = relevance

    def values(self) -> FloatArray:
        return self._relevance

    def take(self, pick: int) -> None:
        """Nothing changes for the others."""


class _MarginalRelevance:
    """(1 - diversity) * relevance - diversity * (largest cosine to what is already chosen).

    Source: Carbonell and Goldstein 1998.
    """

    def __init__(self, relevance: FloatArray, directions: FloatArray, diversity: float) -> None:
        self._relevance = (1 - diversity) * relevance
        self._likeness = diversity * (directions @ directions.T)
        self._closest = np.zeros(len(relevance), dtype=np.float32)

    def values(self) -> FloatArray:
        return self._relevance - self._closest

    def take(self, pick: int) -> None:
        self._closest = np.maximum(self._closest, self._likeness[pick])


def _unit_range(values: FloatArray) -> FloatArray:
    low, high = float(values.min()), float(values.max())
    return (values - low) / max(high - low, 1e-9)

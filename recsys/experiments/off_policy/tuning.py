"""Tuning of the bound of weights: the limit with the smallest estimated mean squared error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.experiments.off_policy.estimators import Terms
from recsys.experiments.off_policy.intervals import standard_error
from recsys.experiments.off_policy.log import Values
from recsys.experiments.off_policy.weights import NO_LIMIT
from recsys.schema import IntArray

CAUTION = 1.645
"""Standard errors added to the estimated bias: a bound at 95 %. With 1 and a wrong model, 90 % of the intervals of DRos
contain the truth instead of 93 % (as for DR), and the errors are the same."""
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Candidate `limit`: the estimator's `variance`, the bound of its bias, and their mean squared error."""

    limit: float
    variance: float
    bias: float

    @property
    def error(self) -> float:
        """Mean squared error: variance + bias²."""
        return self.variance + self.bias**2


@dataclass(frozen=True, slots=True)
class Tuned:
    """Result of tuning: the `best` of `candidates`, which are ordered from no limit downwards."""

    best: Candidate
    candidates: tuple[Candidate, ...]


def candidate_limits(weights: Values) -> list[float]:
    """Return limits to try: none, and quantiles of the positive weights, from above."""
    positive = weights[weights > 0.0]
    return [NO_LIMIT, *sorted({float(limit) for limit in np.quantile(positive, QUANTILES)}, reverse=True)]


def shrinkage_limits(weights: Values) -> list[float]:
    """Return limits of optimistic shrinkage, each the square of the weight that it halves: from none downwards."""
    largest = float(weights.max()) ** 2
    return [NO_LIMIT, 100.0 * largest, 10.0 * largest, *(limit**2 for limit in candidate_limits(weights)[1:])]


def tune_limit(
    build: Callable[[float], Terms],
    missed: Callable[[float], Values],
    units: IntArray,
    *,
    limits: Sequence[float],
    caution: float = CAUTION,
) -> Tuned:
    """Find the limit with the smallest variance + bias² (the first of equals).

    `build` computes the estimator's terms for a limit; `missed` (n,) is (ŵ - w)(r - q̂(x, a)) with its weights ŵ, where
    clipped IPS has no q̂. The bias is the expectation of that; its bound is the absolute mean, plus `caution` standard
    errors (Su et al. 2020, section 5: the direct estimate; Wang, Agarwal & Dudík 2017, section 3.3: variance and
    squared bias estimated from the log). It assumes overlap: actions without weight in the log have no bias here
    either.
    """
    candidates = []
    for limit in limits:
        lost = missed(limit)
        bias = abs(float(lost.mean())) + caution * standard_error(lost - lost.mean(), units)
        candidates.append(Candidate(limit, standard_error(build(limit).influence, units) ** 2, bias))
    return Tuned(min(candidates, key=lambda candidate: candidate.error), tuple(candidates))

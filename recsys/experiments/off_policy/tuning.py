"""How far to bound weights: the limit of the smallest estimated mean squared error."""

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
"""How many standard errors are added to the estimated bias: a bound at 95 %. With 1, where the model is wrong, 90 % of
intervals of DRos hold the truth instead of 93 % (of DR, too), and the errors are the same."""
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One `limit`: the estimator's `variance`, the bound of its bias, and their mean squared error."""

    limit: float
    variance: float
    bias: float

    @property
    def error(self) -> float:
        """variance + bias²."""
        return self.variance + self.bias**2


@dataclass(frozen=True, slots=True)
class Tuned:
    """The `best` of `candidates`, which are ordered from no limit downwards."""

    best: Candidate
    candidates: tuple[Candidate, ...]


def limits_of(weights: Values) -> list[float]:
    """Limits to try: none, and quantiles of the positive weights, from above."""
    positive = weights[weights > 0.0]
    return [NO_LIMIT, *sorted({float(limit) for limit in np.quantile(positive, QUANTILES)}, reverse=True)]


def shrinking_limits_of(weights: Values) -> list[float]:
    """Limits of optimistic shrinkage to try, each the square of the weight that it halves: from none downwards."""
    largest = float(weights.max()) ** 2
    return [NO_LIMIT, 100.0 * largest, 10.0 * largest, *(limit**2 for limit in limits_of(weights)[1:])]


def tuned(
    build: Callable[[float], Terms],
    missed: Callable[[float], Values],
    units: IntArray,
    *,
    limits: Sequence[float],
    caution: float = CAUTION,
) -> Tuned:
    """The limit with the smallest variance + bias², of those given (the first of equals).

    `build` makes the estimator's terms of a limit; `missed` (n,) is (ŵ - w)(r - q̂(x, a)) with its weights ŵ, where
    clipped IPS has no q̂. The bias is the expectation of that; its bound is the absolute mean, plus `caution` standard
    errors (Su et al. 2020, section 5: the direct estimate; Wang, Agarwal & Dudík 2017, section 3.3: variance and
    squared bias estimated from the log). It assumes overlap: what has no weight in the log has no bias here either.
    """
    candidates = []
    for limit in limits:
        lost = missed(limit)
        bias = abs(float(lost.mean())) + caution * standard_error(lost - lost.mean(), units)
        candidates.append(Candidate(limit, standard_error(build(limit).influence, units) ** 2, bias))
    return Tuned(min(candidates, key=lambda candidate: candidate.error), tuple(candidates))

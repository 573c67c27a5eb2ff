"""Importance weights, and three ways to bound them at the price of bias."""

from __future__ import annotations

import math

import numpy as np

from recsys.errors import DataError
from recsys.experiments.off_policy.log import Log, Values, check_policy

NO_LIMIT = math.inf


def importance_weights(log: Log, policy: Values) -> Values:
    """w_i = pi(a_i | x_i) / p_i (n,): how much more probable the logged action is under `policy` (n, A).

    Where the log could choose all that the policy can, they have the mean 1. Raises DataError for what is no policy,
    and where all are 0: nothing that the policy does was ever tried.
    """
    check_policy(policy, log)
    weights = policy[np.arange(len(log)), log.actions] / log.propensities
    check_overlap(weights)
    return weights


def check_overlap(weights: Values) -> None:
    """Raises DataError where no logged choice is one that the new policy could have made."""
    if not weights.any():
        raise DataError(
            "no overlap: the new policy would never have chosen what was logged, in any of "
            f"{len(weights)} decisions; such a log says nothing of it. Let exploration try what it wants, and log again"
        )


def clipped(weights: Values, limit: float) -> Values:
    """min(w, limit)."""
    return np.minimum(weights, limit)


def switched(weights: Values, limit: float) -> Values:
    """w where w <= limit, else 0: there the reward model speaks alone (Wang, Agarwal & Dudík 2017, eq. 8)."""
    return np.where(weights <= limit, weights, 0.0)


def shrunk(weights: Values, limit: float) -> Values:
    """Optimistic shrinkage: limit w / (w² + limit) (Su et al. 2020, section 4.1); w itself where limit is infinite."""
    return weights if limit == NO_LIMIT else limit * weights / (weights**2 + limit)

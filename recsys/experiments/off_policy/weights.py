"""Importance weights, and three ways to bound them at the price of bias."""

from __future__ import annotations

import math

import numpy as np

from recsys.errors import DataError
from recsys.experiments.off_policy.log import Log, Values, check_policy

NO_LIMIT = math.inf


def importance_weights(log: Log, policy: Values) -> Values:
    """Compute importance weights w_i = pi(a_i | x_i) / p_i (n,) of the logged actions under `policy` (n, A).

    Their expected mean is 1 if the log could choose all actions of the policy.

    Raises:
        DataError: if `policy` is no policy, or all weights are 0: no action of the policy was ever tried.
    """
    check_policy(policy, log)
    weights = policy[np.arange(len(log)), log.actions] / log.propensities
    check_overlap(weights)
    return weights


def check_overlap(weights: Values) -> None:
    """Raise DataError if the new policy could not have made any logged choice."""
    if not weights.any():
        raise DataError(
            "no overlap: the new policy would not have made any of the "
            f"{len(weights)} logged decisions, so this log cannot evaluate it. Let "
            "exploration try its actions, and log again"
        )


def clip(weights: Values, limit: float) -> Values:
    """Return min(w, limit)."""
    return np.minimum(weights, limit)


def switch(weights: Values, limit: float) -> Values:
    """Return w if w <= limit, else 0, so that only the reward model counts (Wang, Agarwal & Dudík 2017, eq. 8)."""
    return np.where(weights <= limit, weights, 0.0)


def shrink(weights: Values, limit: float) -> Values:
    """Return weights after optimistic shrinkage, limit w / (w² + limit) (Su et al. 2020, section 4.1)."""
    return weights if limit == NO_LIMIT else limit * weights / (weights**2 + limit)

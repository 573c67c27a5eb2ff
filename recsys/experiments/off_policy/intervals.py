"""Intervals of estimates, by the influence function and by the bootstrap. Users are the independent units.

Decisions of one user share a taste, and a bandit chooses by earlier ones, so errors are summed by user first. With one
decision per user nothing changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from recsys.errors import DataError
from recsys.evaluation.significance import RESAMPLES, resamples
from recsys.experiments.off_policy.estimators import Terms
from recsys.experiments.off_policy.log import Values
from recsys.experiments.stats.effect import Estimate
from recsys.schema import IntArray

FEWEST = 2
"""Fewest users: an interval needs the variance between users."""


def standard_error(influence: Values, units: IntArray) -> float:
    """Compute the standard error of the mean of `influence` (n,), of mean 0, over users `units` (n,).

    sqrt(G / (G - 1) sum over users of (sum of their influence)²) / n with G users (Liang & Zeger 1986; for one decision
    per user, the usual one).

    Raises:
        DataError: for fewer than FEWEST users.
    """
    sums = per_unit(influence[:, None], units)[:, 0]
    users = len(sums)
    if users < FEWEST:
        raise DataError(f"the log has decisions of {users} users: at least {FEWEST} are needed for an interval")
    return math.sqrt(users / (users - 1) * float(sums @ sums)) / len(influence)


def by_influence(terms: Terms, units: IntArray, level: float = 0.95, *, bias: float = 0.0) -> Estimate:
    """Return the value with its interval, from its influence function and its possible `bias` (0 or more).

    V ± c sqrt(variance). Without bias, c is the quantile of Student's t with (users - 1) degrees of freedom. With bias,
    c is multiplied by the quantile of |N(bias / standard error, 1)| over that of |N(0, 1)|, which covers both signs of
    the bias (Armstrong & Kolesár 2020, eq. 4). Right to first order if V is near Normal: many users, and no single user
    has most of the weight (Newey & McFadden 1994, section 6).
    """
    error = standard_error(terms.influence, units)
    critical = -float(special.stdtrit(len(np.unique(units)) - 1, (1.0 - level) / 2.0))
    if bias > 0.0 and error > 0.0:
        square = special.chndtrix(level, 1.0, (bias / error) ** 2) / special.chndtrix(level, 1.0, 0.0)
        critical *= math.sqrt(float(square))
    return Estimate(terms.value, terms.value - critical * error, terms.value + critical * error)


def by_bootstrap(
    terms: Sequence[Terms], units: IntArray, *, seed: int, level: float = 0.95, times: int = RESAMPLES
) -> list[Estimate]:
    """Return values with percentile intervals (Efron 1979) of `times` resamples of users, with all their decisions.

    All terms share the resamples, and the reward model is not refitted. Users, not decisions, are drawn: resampling
    within users would ignore differences between users. It fails if few users carry the weight: a decision that is not
    in the log is in no resample.
    """
    columns = np.hstack([np.column_stack([one.base, one.corrections, one.normalizers]) for one in terms])
    sums = np.hstack([per_unit(columns, units), np.bincount(recode_units(units))[:, None].astype(np.float64)])
    totals = np.vstack([counts @ sums for counts in resamples(len(sums), seed=seed, times=times)])
    rows, found, start = totals[:, -1], [], 0
    for one in terms:
        ratios = one.corrections.shape[1]
        base, rest = totals[:, start], totals[:, start + 1 : start + 1 + 2 * ratios]
        over, under = rest[:, :ratios], rest[:, ratios:]
        # A resample may lack all actions of the policy; it then has no ratio.
        parts = np.divide(over, under, out=np.full_like(over, np.nan), where=under != 0.0)
        values = base / rows + parts.sum(axis=1)
        low, high = np.nanquantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
        found.append(Estimate(one.value, float(low), float(high)))
        start += 1 + 2 * ratios
    return found


def per_unit(columns: Values, units: IntArray) -> Values:
    """Sum `columns` (n, c) over the rows of each user, (G, c)."""
    codes = recode_units(units)
    return np.column_stack([np.bincount(codes, weights=column) for column in columns.T])


def recode_units(units: IntArray) -> IntArray:
    """Return codes (n,) without gaps, from 0 to the number of users minus one."""
    return np.asarray(np.unique(units, return_inverse=True)[1], dtype=np.int64)

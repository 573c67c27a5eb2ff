"""How sure an estimate is: by its influence function, and by the bootstrap. People are what is independent.

A person's decisions share a taste, and a bandit chooses by their earlier ones, so errors are summed by person first;
with as many people as decisions nothing changes.
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
"""Without a second person there is no spread to take an interval from."""


def standard_error(influence: Values, units: IntArray) -> float:
    """Of the mean of `influence` (n,), of mean 0, over people `units` (n,).

    sqrt(G / (G - 1) sum over people of (sum of theirs)²) / n with G people (Liang & Zeger 1986; for one decision a
    person, the usual one). Raises DataError for fewer than FEWEST people.
    """
    sums = per_unit(influence[:, None], units)[:, 0]
    people = len(sums)
    if people < FEWEST:
        raise DataError(f"the log has decisions of {people} people: at least {FEWEST} are needed for an interval")
    return math.sqrt(people / (people - 1) * float(sums @ sums)) / len(influence)


def by_influence(terms: Terms, units: IntArray, level: float = 0.95, *, bias: float = 0.0) -> Estimate:
    """The value with its interval, from its influence function and as much `bias` (0 or more) as it may have.

    V ± c sqrt(variance). Without bias, c is Student's, of as many degrees of freedom as people less one; with it, c is
    as much larger as the quantile of |N(bias / standard error, 1)| is than that of |N(0, 1)|, so that it covers
    whichever sign the bias has (Armstrong & Kolesár 2020, eq. 4). Right to first order, where V is near Normal: many
    people, none of whom carries most of the weight. Newey & McFadden (1994, section 6).
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
    """Values with percentile intervals (Efron 1979) of `times` resamples of people, each with all their decisions.

    The same resamples for all, and the reward model as it was fitted. People, not decisions, are drawn: resampling
    within people would leave out that people differ. It fails where few people carry the weight: what is not in the log
    is in no resample.
    """
    columns = np.hstack([np.column_stack([one.base, one.corrections, one.normalizers]) for one in terms])
    sums = np.hstack([per_unit(columns, units), np.bincount(units_from_0(units))[:, None].astype(np.float64)])
    totals = np.vstack([counts @ sums for counts in resamples(len(sums), seed=seed, times=times)])
    rows, found, start = totals[:, -1], [], 0
    for one in terms:
        ratios = one.corrections.shape[1]
        base, rest = totals[:, start], totals[:, start + 1 : start + 1 + 2 * ratios]
        over, under = rest[:, :ratios], rest[:, ratios:]
        # A resample may lack all that the policy would do; it then has no ratio.
        parts = np.divide(over, under, out=np.full_like(over, np.nan), where=under != 0.0)
        values = base / rows + parts.sum(axis=1)
        low, high = np.nanquantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
        found.append(Estimate(one.value, float(low), float(high)))
        start += 1 + 2 * ratios
    return found


def per_unit(columns: Values, units: IntArray) -> Values:
    """Sums of `columns` (n, c) over each person's rows, (G, c)."""
    codes = units_from_0(units)
    return np.column_stack([np.bincount(codes, weights=column) for column in columns.T])


def units_from_0(units: IntArray) -> IntArray:
    """The codes (n,) without gaps, from 0 to the number of people less one."""
    return np.asarray(np.unique(units, return_inverse=True)[1], dtype=np.int64)

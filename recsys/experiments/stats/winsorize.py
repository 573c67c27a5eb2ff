"""Winsorising: values above a cap count as the cap, so that one large order does not decide an experiment."""

from __future__ import annotations

import numpy as np

from recsys.errors import DataError
from recsys.experiments.stats.checks import check_between_0_and_1
from recsys.experiments.stats.moments import Values


def pooled_cap(values: Values, percentile: float, *, above_zero: bool = False) -> float:
    """The cap at `percentile` (e.g. 0.999) of the values (n,) of all arms together.

    It is fixed on pooled data: a cap of each arm's own would cut more from the arm that earns more. `above_zero`: of
    the values above 0 alone, for metrics that are 0 for most units (revenue), where a percentile of all is 0. Infinite
    where no value is left to take a percentile of. Raises DataError for NaN.
    """
    check_between_0_and_1("percentile", percentile)
    if np.isnan(values).any():
        raise DataError("a percentile of values with NaN means nothing: fill or drop these units first")
    kept = values[values > 0.0] if above_zero else values
    return float(np.quantile(kept, percentile)) if len(kept) else float("inf")


def winsorize(values: Values, cap: float) -> Values:
    """Values (n,) with those above `cap` set to it. The effect is then that on capped values; say so beside it."""
    return np.minimum(values, cap)

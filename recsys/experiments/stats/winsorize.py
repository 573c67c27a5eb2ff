"""Winsorizing: values above a cap count as the cap, so that one large order does not decide an experiment."""

from __future__ import annotations

import numpy as np

from recsys.errors import DataError
from recsys.experiments.stats.checks import check_between_0_and_1
from recsys.experiments.stats.moments import Values


def pooled_cap(values: Values, percentile: float, *, above_zero: bool = False) -> float:
    """Compute the cap at `percentile` (e.g. 0.999) of the values (n,) of all arms together.

    It is fixed on pooled data: a cap of each arm's own would cut more from the arm that earns more. `above_zero`: of
    the values above 0 only, for metrics that are 0 for most units (revenue), because a percentile of all is 0. Infinite
    if there is no such value.

    Raises:
        DataError: for NaN.
    """
    check_between_0_and_1("percentile", percentile)
    if np.isnan(values).any():
        raise DataError("a percentile of values with NaN means nothing: fill or drop these units first")
    used = values[values > 0.0] if above_zero else values
    return float(np.quantile(used, percentile)) if len(used) else float("inf")


def winsorize(values: Values, cap: float) -> Values:
    """Set values (n,) above `cap` to `cap`. The effect is then on capped values; reports must say so."""
    return np.minimum(values, cap)

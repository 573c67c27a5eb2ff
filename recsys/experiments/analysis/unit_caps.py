"""Caps of what one unit may add to a metric, for lists, clicks and seconds as for money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.experiments.analysis.unit_table import UnitTable
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.stats.moments import Values
from recsys.experiments.stats.winsorize import Cap, pooled_cap, winsorize
from recsys.schema import BoolArray

COUNT_SLACK = 2.0
"""Counts are cut only above twice the largest count that is not cut, so that usual logs stay as they are."""
DOMINANT = 3.0
"""Multiple of the largest value that is not cut, from which a unit is called dominant."""


@dataclass(frozen=True, slots=True, eq=False)
class UnitSums:
    """Sums of each unit (n,) for one metric; `denominator` for ratios, else None; `before`: covariates (n, k)."""

    numerator: Values
    denominator: Values | None
    before: Values | None


def cap_units(table: UnitTable, metric: MetricName, sums: UnitSums, included: BoolArray) -> tuple[UnitSums, Cap | None]:
    """Cap the sums of each unit by values of the included units (n,) of all arms.

    A unit of a ratio keeps its own ratio: if its denominator is cut, its numerator is cut by the same factor, so that a
    crawler weighs as much as the most active people. Its numerator is capped after that. Covariates are capped alike.
    Revenue never counts below 0, which refunds of earlier purchases would give.

    Returns:
        Capped sums, and what the cap did, for revenue only; other metrics are cut only if a unit is far off.
    """
    before = None if sums.before is None else sums.before.copy()
    money = metric is MetricName.REVENUE_PER_USER
    for column in () if before is None else range(before.shape[1]):
        slack = 1.0 if money and column == 0 else COUNT_SLACK
        before[:, column] = winsorize(before[:, column], pooled_cap(before[included, column], slack=slack))
    if money:
        revenue = np.maximum(sums.numerator, 0.0)
        limit = pooled_cap(revenue[included])
        cap = Cap.from_values(revenue[included], limit, table.arm[included], len(table.arms))
        return UnitSums(winsorize(revenue, limit), None, before), cap
    if sums.denominator is None:
        return UnitSums(sums.numerator, None, before), None
    most = pooled_cap(sums.denominator[included], slack=COUNT_SLACK)
    over = sums.denominator > most
    factor = np.divide(most, sums.denominator, out=np.ones(len(over)), where=over)
    scaled = sums.numerator * factor
    limit = pooled_cap(scaled[included], slack=COUNT_SLACK)
    return UnitSums(winsorize(scaled, limit), sums.denominator * factor, before), None


def find_dominant(sums: UnitSums, included: BoolArray) -> BoolArray:
    """Return a mask (n,) of the included units whose numerator or denominator is far above all others'."""
    found = np.zeros(len(included), dtype=np.bool_)
    for values in (sums.numerator, sums.denominator):
        if values is not None:
            found |= included & (values > pooled_cap(values[included], slack=DOMINANT))
    return found

"""Caps of what one unit may add to a metric, for lists, clicks and seconds as for money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.experiments.analysis.unit_table import UnitTable
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.stats.moments import Values
from recsys.experiments.stats.winsorize import Cap, pooled_cap, winsorize
from recsys.schema import BoolArray

FAR = 3.0
"""Multiple of the largest usual count from which a unit is far above all others."""
COUNT_TAIL = 0.005
"""Share of units that may lie above the largest usual count, at least 5 units (`winsorize.most_cut`)."""


@dataclass(frozen=True, slots=True, eq=False)
class UnitSums:
    """Sums of each unit (n,) for one metric; `denominator` for ratios, else None; `before`: covariates (n, k)."""

    numerator: Values
    denominator: Values | None
    before: Values | None


def cap_units(table: UnitTable, metric: MetricName, sums: UnitSums, included: BoolArray) -> tuple[UnitSums, Cap | None]:
    """Limit the sums of each unit by values of the included units (n,) of all arms.

    Revenue is winsorized. Units whose denominator of a ratio is far above all others', as of crawlers, count 0 in both
    sums, so they are left out of the ratio. Numerators of ratios and covariates are cut only if they are far above.
    Usual logs stay as they are. Revenue never counts below 0, which refunds of earlier purchases would give.

    Returns:
        Limited sums, and for revenue what its cap did.
    """
    money = metric is MetricName.REVENUE_PER_USER
    before = sums.before
    if before is not None:
        columns = []
        for column, values in enumerate(before.T):
            own = values[included]
            columns.append(winsorize(values, pooled_cap(own) if money and column == 0 else _far(own)))
        before = np.column_stack(columns)
    if money:
        revenue = np.maximum(sums.numerator, 0.0)
        limit = pooled_cap(revenue[included])
        cap = Cap.from_values(revenue[included], limit, table.arm[included], len(table.arms))
        return UnitSums(winsorize(revenue, limit), None, before), cap
    if sums.denominator is None:
        return UnitSums(sums.numerator, None, before), None
    usual = sums.denominator <= _far(sums.denominator[included])
    numerator = np.where(usual, sums.numerator, 0.0)
    numerator = winsorize(numerator, _far(numerator[included]))
    return UnitSums(numerator, np.where(usual, sums.denominator, 0.0), before), None


def find_largest(sums: UnitSums) -> tuple[BoolArray, BoolArray]:
    """Find the units that weigh most.

    Returns:
        A mask (n,) of the units that are far above all others, and one of the units of largest weight: the denominator
        of a ratio, else the value. The latter are at most as many as `pooled_cap` cuts.
    """
    if sums.denominator is None:
        cap = pooled_cap(sums.numerator)
        return sums.numerator > FAR * cap, sums.numerator > cap
    far = (sums.numerator > _far(sums.numerator)) | (sums.denominator > _far(sums.denominator))
    return far, sums.denominator > pooled_cap(sums.denominator)


def _far(values: Values) -> float:
    return pooled_cap(values, slack=FAR, tail=COUNT_TAIL)

"""Novelty: effect on the primary metric by day since the first exposure of a unit, and a test of its trend.

All days compare the same units, those that are followed for all of these days: else days would differ because users
who come early differ from others. The trend is the slope of log(arm / control) over log(day), by weighted least
squares. So a lift that stays the same has none, even if users get less active in both arms. Its standard error is
computed from one value per unit, so it holds for units whose days resemble each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import DataError
from recsys.experiments.analysis.comparisons import Rule, weighted_arms
from recsys.experiments.analysis.unit_caps import UnitSums, cap_units
from recsys.experiments.analysis.unit_table import Rows, UnitTable, sum_by_unit
from recsys.experiments.design.definition import Experiment, Looks
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.stats.effect import Estimate
from recsys.experiments.stats.fixed import FEWEST_VALUES, two_means
from recsys.experiments.stats.moments import JointMoments, Moments, Values, expected_values
from recsys.experiments.stats.multiplicity import correct_p_values
from recsys.schema import BoolArray

FEWEST_DAYS = 5
"""Fewest days from which a trend is computed."""
MOST_DAYS = 28


@dataclass(frozen=True, slots=True)
class DayEffect:
    """Lift on the `day` since the first exposure, from 1, with an ordinary interval of that day alone."""

    day: int
    lift: Estimate


@dataclass(frozen=True, slots=True)
class Novelty:
    """Trend of the effect of an arm by day since the first exposure.

    Attributes:
        arm: name of the arm.
        units: units of the arm and of the control, which are followed on all days.
        days: lift on each day with enough values.
        trend: change of (arm / control) with each doubling of the days, as a share: -0.05 is 5 % less.
        p_value: of no trend.
        p_corrected: corrected by Holm over arms.
        first: lift on the first of the days, on the fitted line.
        last: lift on the last of the days, on the fitted line.
        finding: "fades" if the line is nearer to 0 at its end than at its start, else "grows"; None if no trend is
            shown.
    """

    arm: str
    units: int
    days: tuple[DayEffect, ...]
    trend: Estimate
    p_value: float
    p_corrected: float
    first: float
    last: float
    finding: str | None


def compute_novelty(
    table: UnitTable, experiment: Experiment, metric: MetricName, rule: Rule, until: int
) -> tuple[Novelty, ...]:
    """Compute the trend of each arm; arms with enough values on fewer than FEWEST_DAYS days are left out.

    Args:
        table: units of the experiment.
        experiment: definition of the experiment.
        metric: name of the metric.
        rule: rule of comparison.
        until: end of the analyzed logs, seconds since 1970 UTC.
    """
    followed = (until - table.first) // SECONDS_PER_DAY
    counts = np.bincount(np.clip(followed, 0, MOST_DAYS), minlength=MOST_DAYS + 1)
    # Units followed for d days or more, for each d: as many days of units as possible are compared.
    at_least = np.cumsum(counts[::-1])[::-1]
    length = int(np.argmax(np.arange(MOST_DAYS + 1) * at_least))
    if length < FEWEST_DAYS:
        return ()
    cohort = followed >= length
    own_rule = replace(rule, tightest_at=max(rule.tightest_at * float(cohort.mean()), 1.0), progress=None)
    found = []
    for name in weighted_arms(experiment):
        arms = [cohort & (table.arm == table.arms.index(one)) for one in (name, experiment.control)]
        days = _Days.from_table(table, metric, cohort, arms, length)
        if len(days.numbers) >= FEWEST_DAYS and (one := _fit_trend(days, name, arms, own_rule)) is not None:
            found.append(one)
    p_values = correct_p_values([one.p_value for one in found], "holm")
    alpha = experiment.decision.alpha
    waits = experiment.decision.monitoring is Looks.FIXED and rule.looks is Looks.SEQUENTIAL
    return tuple(
        replace(one, p_corrected=float(p), finding=one.finding if p <= alpha and not waits else None)
        for one, p in zip(found, p_values, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Days:
    """Days with enough values: `numbers` from 1, moments of both arms, and values of units (n,), 0 outside the arms.

    A value is the influence of its unit on the logarithm of the arm's mean; those of an arm sum to 0.
    """

    numbers: Sequence[int]
    moments: Sequence[tuple[Moments, Moments]]
    influences: Sequence[Values]

    @classmethod
    def from_table(
        cls, table: UnitTable, metric: MetricName, cohort: BoolArray, arms: Sequence[BoolArray], length: int
    ) -> _Days:
        measured, units = table.metrics[metric], len(table)
        total = measured.numerator.sums(units)
        weight = None if measured.denominator is None else measured.denominator.sums(units)
        capped, _ = cap_units(table, metric, UnitSums(total, weight, None), cohort)
        numerators = _daily_sums(measured.numerator, table, _kept(capped.numerator, total), length)
        denominators: Iterator[Values | None] = iter([None] * length)
        if measured.denominator is not None and weight is not None and capped.denominator is not None:
            denominators = iter(_daily_sums(measured.denominator, table, _kept(capped.denominator, weight), length))
        numbers, moments, influences = [], [], []
        for number, (numerator, denominator) in enumerate(zip(numerators, denominators, strict=True), start=1):
            influence, pair = np.zeros(units), []
            try:
                for own in arms:
                    columns = [numerator[own]] if denominator is None else [numerator[own], denominator[own]]
                    joint = JointMoments.from_columns(*columns)
                    pair.append((joint if denominator is None else joint.ratio()).marginal())
                    mean = pair[-1].mean
                    if not (mean > 0.0 and pair[-1].n > 1):
                        break
                    parts = numerator[own] if denominator is None else numerator[own] - mean * denominator[own]
                    scale = mean if denominator is None else mean * float(denominator[own].mean())
                    influence[own] = parts / scale - (1.0 if denominator is None else 0.0)
                else:
                    if expected_values(*pair) >= FEWEST_VALUES:
                        numbers.append(number)
                        moments.append((pair[0], pair[1]))
                        influences.append(influence)
            except DataError:
                # Nothing to divide by on this day.
                continue
        return cls(numbers, moments, influences)


def _kept(capped: Values, total: Values) -> Values:
    """Return the share of each unit's sum that its cap leaves (n,); caps are of whole units, not of days."""
    return np.divide(capped, total, out=np.ones(len(total)), where=total != 0.0)


def _daily_sums(rows: Rows, table: UnitTable, kept: Values, length: int) -> Iterator[Values]:
    """Yield the sums (n,) of each unit on each of the first `length` days since its first exposure."""
    age = (rows.timestamp - table.first[rows.unit]) // SECONDS_PER_DAY
    order = np.argsort(age, kind="stable")
    bounds = np.searchsorted(age[order], np.arange(length + 1))
    for start, end in pairwise(bounds):
        own = order[start:end]
        yield sum_by_unit(rows.unit[own], rows.value[own], len(table)) * kept


def _fit_trend(days: _Days, name: str, arms: Sequence[BoolArray], rule: Rule) -> Novelty | None:
    logs = np.array([[math.log(one.mean) for one in pair] for pair in days.moments])
    x = np.log(np.array(days.numbers, dtype=np.float64))
    weights = np.array([1.0 / _log_variance(*pair) for pair in days.moments])
    if not np.isfinite(weights).all():
        return None
    weights /= weights.sum()
    centered = x - weights @ x
    # The slope is the sum of these coefficients times the effects of the days.
    coefficients = weights * centered / (weights @ centered**2)
    values = np.zeros(len(arms[0]))
    for coefficient, influence in zip(coefficients, days.influences, strict=True):
        values += coefficient * influence
    slopes = coefficients @ logs
    pair = []
    for side, own in enumerate(arms):
        sizes = days.moments[0][side].sizes
        for moments in days.moments[1:]:
            sizes = tuple(one + more for one, more in zip(sizes, moments[side].sizes, strict=True))
        n = int(own.sum())
        pair.append(Moments(n, float(slopes[side]), float(np.var(values[own], ddof=1)), sizes))
    effect = rule.compare(pair[0], pair[1])
    slope = effect.absolute
    if not (math.isfinite(slope.low) and math.isfinite(slope.high)):
        return None
    effects = logs[:, 0] - logs[:, 1]
    middle = float(weights @ effects)
    start, end = (middle + slope.value * float(centered[place]) for place in (0, -1))
    return Novelty(
        arm=name,
        units=sum(one.n for one in pair),
        days=tuple(
            DayEffect(number, lift)
            for number, one in zip(days.numbers, days.moments, strict=True)
            if (lift := two_means(*one, level=rule.level).relative) is not None
        ),
        trend=Estimate(*(math.expm1(math.log(2.0) * bound) for bound in (slope.value, slope.low, slope.high))),
        p_value=effect.p_value,
        p_corrected=effect.p_value,
        first=math.expm1(start),
        last=math.expm1(end),
        finding="fades" if abs(end) < abs(start) else "grows",
    )


def _log_variance(arm: Moments, control: Moments) -> float:
    """Return the variance of log(arm / control), pooled, so that weights do not follow the noise of a small arm."""
    parts = [(one.n - 1) * one.variance / one.mean**2 for one in (arm, control)]
    variance = sum(parts) / (arm.n + control.n - 2) * (1.0 / arm.n + 1.0 / control.n)
    return variance if variance > 0.0 else math.inf

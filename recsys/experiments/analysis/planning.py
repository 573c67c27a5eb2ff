"""Plan of an experiment: units and days that it needs, and the smallest effect that each day can find."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from recsys.errors import ConfigError
from recsys.experiments.design.definition import Experiment, Looks
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.stats.power import Baseline, Design, Detectable, sample_size, smallest_effect

LONGEST_PLAN_DAYS = 365
"""Days after which a plan gives up; an experiment ends much earlier."""
LARGEST_EFFECT = 10.0
"""Largest smallest detectable effect that is told, as a share of the mean."""
_SHORTEST_CURVE = 28
_STEPS, _CLOSE = 100, 1e-6
"""Steps to the effect that agrees with its own variance, and the change at which they end."""

BaselineByDay = Callable[[int], Baseline | None]
"""Function from days since the start to the metric of the control then; None if the data do not give one."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """New units of all arms.

    Attributes:
        so_far: units after each of the first days; empty if only a rate is known.
        per_day: new units per day after that, 0 or more.
    """

    so_far: tuple[float, ...]
    per_day: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.per_day < math.inf or not (self.per_day or self.so_far):
            raise ConfigError(f"units_per_day is {self.per_day:g}: give the number of new units a day, above 0")

    def units(self, days: int) -> int:
        """Return the number of units after `days` days."""
        known = self.so_far[min(days, len(self.so_far)) - 1] if self.so_far and days else 0.0
        return int(known + max(days - len(self.so_far), 0) * self.per_day)

    def scaled(self, share: float) -> Traffic:
        """Return the traffic of a share of all units."""
        return Traffic(tuple(units * share for units in self.so_far), self.per_day * share)


@dataclass(frozen=True, slots=True)
class Rules:
    """Arms and decision rules that a plan is for.

    Attributes:
        shares: share of units by arm; they sum to 1.
        control: name of the control.
        alpha: two-sided type I error rate, over all arms together.
        power: wanted probability to find the effect.
        looks: monitoring.
        whole_weeks: round days up to weeks, so that every day of the week counts alike.
    """

    shares: Mapping[str, float]
    control: str
    alpha: float = 0.05
    power: float = 0.8
    looks: Looks = Looks.SEQUENTIAL
    whole_weeks: bool = True

    def __post_init__(self) -> None:
        if self.control not in self.shares:
            raise ConfigError(f"control {self.control!r} is no arm; arms: {', '.join(self.shares)}")
        if len(self.shares) < 2 or min(self.shares.values()) <= 0.0:
            raise ConfigError("give two arms or more, each with a weight above 0")
        if not 0.0 < self.alpha < 0.5:
            raise ConfigError(f"alpha is {self.alpha:g}: give the error rate, above 0 and below 0.5 such as 0.05")
        if not 0.5 < self.power < 1.0:
            raise ConfigError(f"power is {self.power:g}: give a probability above 0.5 and below 1 such as 0.8")

    @classmethod
    def from_experiment(cls, experiment: Experiment) -> Rules:
        """Take arms and rules from an experiment; arms of weight 0 have no units."""
        decision = experiment.decision
        shares = {name: share for name, share in experiment.shares.items() if share > 0.0}
        return cls(shares, experiment.control, decision.alpha, decision.power, decision.looks)

    @property
    def others(self) -> tuple[str, ...]:
        """Names of all arms but the control."""
        return tuple(name for name in self.shares if name != self.control)

    def pair(self, arm: str) -> float:
        """Return the share of all units that an arm and the control have together."""
        return self.shares[arm] + self.shares[self.control]

    def design(self, arm: str) -> Design:
        """Return the design of the test of one arm: Holm tests the smallest p-value at alpha / arms."""
        return Design(
            alpha=self.alpha / len(self.others),
            power=self.power,
            share=self.shares[arm] / self.pair(arm),
            look_any_day=self.looks is Looks.SEQUENTIAL,
        )


@dataclass(frozen=True, slots=True)
class DayPoint:
    """Smallest effect that is found with the planned power after `day` days; None if not even the largest one is."""

    day: int
    units: int
    absolute: float | None
    relative: float | None


@dataclass(frozen=True, slots=True)
class Needs:
    """Units and days that one effect needs.

    Attributes:
        effect: change of the metric as a share of the control's mean, above 0.
        units: units of all arms.
        units_by_arm: units by arm.
        days: days until they have come in; None if not within `LONGEST_PLAN_DAYS`, or without a rate.
    """

    effect: float
    units: int
    units_by_arm: Mapping[str, int]
    days: int | None


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """Plan for one metric.

    Attributes:
        metric: name of the metric.
        mean: mean of the control.
        deviation: standard deviation of a unit's value.
        needs: units and days; None without an effect.
        curve: smallest detectable effect by day, of the arm for which it is largest.
    """

    metric: str
    mean: float
    deviation: float
    needs: Needs | None
    curve: tuple[DayPoint, ...]


def plan_metric(
    metric: MetricName | str,
    baselines: Baseline | BaselineByDay,
    rules: Rules,
    *,
    traffic: Traffic | None = None,
    effect: float | None = None,
    days: int | None = None,
    direction: Direction = Direction.INCREASE,
) -> MetricPlan:
    """Plan an experiment for one metric.

    Args:
        metric: name of the metric.
        baselines: metric of the control, or a function that gives it by day.
        rules: arms and rules of the decision.
        traffic: new units; None gives neither days nor a curve.
        effect: smallest change that matters, as a share of the control's mean, above 0; None plans no size.
        days: last day of the curve. Default: the days that the effect needs, at least 28.
        direction: direction in which the metric improves.

    Raises:
        ConfigError: for numbers out of range, or an effect that leaves [0, 1] of a rate.
    """

    def at(day: int) -> Baseline | None:
        return baselines if isinstance(baselines, Baseline) else baselines(day)

    reference = at(days or _SHORTEST_CURVE)
    if reference is None:
        raise ConfigError(f"{metric}: the logs give no baseline: no unit has a value; give longer logs, or numbers")
    if effect is not None and not 0.0 < effect < math.inf:
        raise ConfigError(f"effect is {effect}: give the smallest change that matters, above 0 such as 0.05 for 5 %")
    if effect is not None and reference.mean <= 0.0:
        raise ConfigError(f"{metric}: the control's mean is {reference.mean:g}, so there is no share of it")
    needs = None
    if effect is not None:
        signed = effect if direction is Direction.INCREASE else -effect
        needs = _compute_needs(at, reference, rules, traffic, signed)
    last = days or max((needs.days or 0) if needs else 0, _SHORTEST_CURVE)
    curve = () if traffic is None else compute_curve(baselines, rules, traffic, last)
    return MetricPlan(str(metric), reference.mean, math.sqrt(reference.variance), needs, curve)


def compute_curve(
    baselines: Baseline | BaselineByDay, rules: Rules, traffic: Traffic, last: int
) -> tuple[DayPoint, ...]:
    """Compute the smallest detectable effect after each of the first `last` days."""

    def at(day: int) -> Baseline | None:
        return baselines if isinstance(baselines, Baseline) else baselines(day)

    return tuple(_compute_point(at, rules, traffic, day) for day in range(1, last + 1))


def _compute_needs(
    at: BaselineByDay, reference: Baseline, rules: Rules, traffic: Traffic | None, effect: float
) -> Needs:
    total = _total_units(reference, rules, effect)
    days = None
    for day in range(1, LONGEST_PLAN_DAYS + 1) if traffic is not None else ():
        if traffic is None or (rules.whole_weeks and day % 7):
            continue
        # A unit's value grows with its time in the experiment, so the baseline depends on the length.
        baseline = at(day)
        if baseline is None or baseline.mean <= 0.0:
            continue
        needed = _total_units(baseline, rules, effect)
        if traffic.units(day) >= needed:
            total, days = needed, day
            break
    by_arm = {name: math.ceil(total * share - 1e-9) for name, share in rules.shares.items()}
    return Needs(abs(effect), sum(by_arm.values()), by_arm, days)


def _total_units(baseline: Baseline, rules: Rules, effect: float) -> int:
    """Return the units of all arms with which every arm's test has the power."""
    pairs = {}
    for arm in rules.others:
        design = rules.design(arm)
        try:
            found = sample_size(_scale(baseline, effect, design), effect * baseline.mean, design)
        except OverflowError:
            raise ConfigError(f"an effect of {effect:g} is too small to be found by any number of units") from None
        pairs[arm] = found.total
    return max(math.ceil(units / rules.pair(arm)) for arm, units in pairs.items())


def _scale(baseline: Baseline, effect: float, design: Design) -> Baseline:
    """Return the baseline with the variance that the test sees if an effect multiplies all values by 1 + effect.

    A rate has its own variance with an effect. Of means, the test takes the larger of the pooled and the own errors.
    """
    if baseline.binary:
        return baseline
    factor, t = (1.0 + effect) ** 2, design.share
    return replace(baseline, variance=baseline.variance * max(factor * (1.0 - t) + t, factor * t + 1.0 - t))


def _find_smallest(baseline: Baseline, units: int, design: Design) -> Detectable:
    """Return the smallest detectable effect, whose own larger variance is part of it.

    Raises:
        ConfigError: if no rise by up to `LARGEST_EFFECT` is found.
    """
    found, before = smallest_effect(baseline, units, design), 0.0
    for _ in range(0 if baseline.binary else _STEPS):
        if found.relative is None or found.relative - before < _CLOSE:
            break
        if found.relative > LARGEST_EFFECT:
            raise ConfigError(f"{units} units find no rise by up to {LARGEST_EFFECT:.0%}: plan more units")
        before = found.relative
        found = smallest_effect(_scale(baseline, before, design), units, design)
    return found


def _compute_point(at: BaselineByDay, rules: Rules, traffic: Traffic, day: int) -> DayPoint:
    units, baseline = traffic.units(day), at(day)
    found = []
    for arm in rules.others:
        pair = int(units * rules.pair(arm))
        if baseline is None or baseline.variance == 0.0 or pair < 4:
            return DayPoint(day, units, None, None)
        try:
            found.append(_find_smallest(baseline, pair, rules.design(arm)))
        except ConfigError:
            # Not even a rise to 100 % would be found with so few units.
            return DayPoint(day, units, None, None)
    worst = max(found, key=lambda one: one.absolute)
    return DayPoint(day, units, worst.absolute, worst.relative)

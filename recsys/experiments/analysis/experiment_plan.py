"""Plan of a whole experiment: all its metrics, from own logs or from given numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from recsys.errors import DataError
from recsys.experiments.analysis.baselines import measure_baselines
from recsys.experiments.analysis.columnar_logs import ListValues
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.analysis.planning import MetricPlan, Rules, Traffic, compute_curve, plan_metric
from recsys.experiments.design.definition import Experiment, Looks, MarginScale, UnitKind
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.stats.power import Baseline

MEASURED_DAYS = 28
"""Days of own logs that are measured by default: whole weeks."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Metric to plan for.

    Attributes:
        metric: name of the metric.
        effect: smallest change that matters, as a share of the mean; None for the curve only.
        direction: direction in which the metric improves.
    """

    metric: MetricName
    effect: float | None = None
    direction: Direction = Direction.INCREASE


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """Plan of an experiment; the first metric decides.

    Attributes:
        looks: monitoring.
        alpha: two-sided type I error rate.
        power: wanted probability to find the effects.
        control: name of the control.
        shares: share of the units by arm.
        source: where the baselines are from, in words.
        units_per_day: new units per day at the end of the logs, or as given; None if unknown.
        metrics: plan of each metric.
        unmeasured: reason by metric that the logs do not contain.
    """

    looks: Looks
    alpha: float
    power: float
    control: str
    shares: Mapping[str, float]
    source: str
    units_per_day: float | None
    metrics: tuple[MetricPlan, ...]
    unmeasured: Mapping[str, str]


def list_goals(experiment: Experiment, effect: float | None = None) -> list[Goal]:
    """Return the goals of an experiment: `effect` or the declared one on its first metric, and guardrails' margins."""
    main, *others = experiment.metrics
    goals = [Goal(main.name, experiment.decision.minimal_effect if effect is None else effect, main.direction)]
    goals += [Goal(one.name, None, one.direction) for one in others]
    for guard in experiment.guardrails:
        # To rule out a loss of the margin takes as many units as to find a gain of that size.
        margin = guard.margin if guard.scale is MarginScale.RELATIVE else None
        goals.append(Goal(guard.metric, margin, guard.direction))
    return goals


def plan_from_logs(
    logs: Logs,
    goals: Sequence[Goal],
    rules: Rules,
    *,
    coverage: float = 1.0,
    days: int | None = None,
    unit: UnitKind = UnitKind.USER,
    diversity: ListValues | None = None,
    name: str = "logs",
) -> ExperimentPlan:
    """Plan an experiment from own logs.

    Args:
        logs: exposures, events and ratings, of any experiment or of none.
        goals: metrics to plan for, the first one decides.
        rules: arms and rules of the decision.
        coverage: share of the logs' units that will be in the experiment, in (0, 1].
        days: planned length; by default the days that the effect needs.
        unit: kind of unit that will be assigned.
        diversity: function that computes the style diversity of lists, for logs without that column.
        name: what the logs are, for `source`.

    Raises:
        DataError: if the logs are too short, cannot be read, or have none of the metrics.
        ConfigError: for numbers out of range.
    """
    measured = measure_baselines(
        logs, [goal.metric for goal in goals], days=days or MEASURED_DAYS, unit=unit, diversity=diversity
    )
    traffic = measured.traffic.scaled(coverage)
    plans = [
        plan_metric(
            goal.metric,
            measured.baselines[goal.metric],
            rules,
            traffic=traffic,
            effect=goal.effect,
            days=days,
            direction=goal.direction,
        )
        for goal in goals
        if goal.metric in measured.baselines
    ]
    length = "1 day" if measured.days == 1 else f"{measured.days} days"
    if not plans:
        raise DataError("; ".join(f"{name}: {why}" for name, why in measured.unmeasured.items()))
    longest = max(len(plan.curve) for plan in plans)
    plans = [
        replace(plan, curve=compute_curve(measured.baselines[MetricName(plan.metric)], rules, traffic, longest))
        for plan in plans
    ]
    source = f"{length} of {name} with {measured.units:,} {unit}s"
    unmeasured = {str(name): why for name, why in measured.unmeasured.items()}
    return _plan(rules, source, traffic.per_day, plans, unmeasured)


def plan_from_numbers(
    baseline: Baseline, goal: Goal, rules: Rules, *, units_per_day: float | None = None, days: int | None = None
) -> ExperimentPlan:
    """Plan an experiment from the mean and variance of its metric; without `units_per_day` there are no days.

    Raises:
        ConfigError: for numbers out of range.
    """
    traffic = None if units_per_day is None else Traffic((), units_per_day)
    plan = plan_metric(
        goal.metric, baseline, rules, traffic=traffic, effect=goal.effect, days=days, direction=goal.direction
    )
    return _plan(rules, "given numbers", units_per_day, [plan], {})


def _plan(
    rules: Rules,
    source: str,
    units_per_day: float | None,
    plans: Sequence[MetricPlan],
    unmeasured: Mapping[str, str],
) -> ExperimentPlan:
    return ExperimentPlan(
        looks=rules.looks,
        alpha=rules.alpha,
        power=rules.power,
        control=rules.control,
        shares=rules.shares,
        source=source,
        units_per_day=units_per_day,
        metrics=tuple(plans),
        unmeasured=unmeasured,
    )

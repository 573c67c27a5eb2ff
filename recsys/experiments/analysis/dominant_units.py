"""Units that hold much of an arm, and findings that depend on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.errors import DataError
from recsys.experiments.analysis.comparisons import Rule, compute_effects, moments_by_arm
from recsys.experiments.analysis.unit_caps import UnitSums, cap_units, find_largest
from recsys.experiments.analysis.unit_table import UnitTable
from recsys.experiments.design.definition import Experiment, MarginScale
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.stats.guardrails import guardrail
from recsys.experiments.stats.moments import JointMoments, jackknife_variance
from recsys.experiments.stats.multiplicity import correct_p_values
from recsys.schema import BoolArray

_NONE = "unclear"
TOP = 5
"""Units whose joint share of an arm is computed."""


@dataclass(frozen=True, slots=True)
class Dominance:
    """Weight of single units in one metric.

    Attributes:
        metric: name of the metric.
        units: number of units far above all others, see `unit_caps.find_largest`.
        share: largest share of an arm's numerator or denominator held by one unit, before caps, in [0, 1].
        top_share: share held by the `TOP` largest units of the same sum.
        arm: name of that arm.
        largest: number of the largest units, without which findings are tried.
        first: earliest first exposure of the units far above all others, seconds since 1970 UTC; None without any.
        depends: arms whose finding in this metric is lost without the largest units.
        spread: largest ratio, over arms, of the jackknife's standard error to that of the delta method, after caps; 1
            for metrics that are no ratios.
    """

    metric: MetricName
    units: int
    share: float
    top_share: float
    arm: str
    first: int | None
    largest: int
    depends: tuple[str, ...]
    spread: float


def measure_dominance(table: UnitTable, experiment: Experiment, metric: MetricName, rule: Rule) -> Dominance:
    """Measure the weight of single units in a metric that the table has."""
    measured = table.metrics[metric]
    denominator = None if measured.denominator is None else measured.denominator.sums(len(table))
    sums = UnitSums(measured.numerator.sums(len(table)), denominator, measured.before)
    everybody = np.ones(len(table), dtype=np.bool_)
    far, largest = find_largest(sums)
    found = _largest_share(table, sums)
    return Dominance(
        metric=metric,
        units=int(far.sum()),
        share=found[0],
        top_share=found[1],
        arm=found[2],
        first=int(table.first[far].min()) if far.any() else None,
        largest=int(largest.sum()),
        depends=_find_dependent(table, experiment, metric, rule, largest, sums) if largest.any() else (),
        spread=_jackknife_spread(table, cap_units(table, metric, sums, everybody)[0]),
    )


def _largest_share(table: UnitTable, sums: UnitSums) -> tuple[float, float, str]:
    best = (0.0, 0.0, table.arms[0])
    for code, name in enumerate(table.arms):
        own = table.arm == code
        for values in (sums.numerator, sums.denominator):
            if values is None or not own.any() or not (total := float(values[own].sum())) > 0.0:
                continue
            inside = values[own]
            top = np.sort(np.partition(inside, -min(TOP, len(inside)))[-TOP:])
            best = max(best, (float(top[-1]) / total, float(top.sum()) / total, name))
    return best


def _find_dependent(
    table: UnitTable,
    experiment: Experiment,
    metric: MetricName,
    rule: Rule,
    largest: BoolArray,
    sums: UnitSums,
) -> tuple[str, ...]:
    """Return the arms whose finding is lost if the largest units are left out."""
    declared = next((one for one in experiment.guardrails if one.metric is metric), None)
    live = [code for code, name in enumerate(table.arms) if experiment.arms[name].weight > 0]
    if np.bincount(table.arm[~largest], minlength=len(table.arms))[live].min() < 2:
        return ()
    labels: list[dict[str, str]] = []
    for included in (np.ones(len(table), dtype=np.bool_), ~largest):
        try:
            arms = moments_by_arm(table, metric, included, sums.numerator, sums.denominator)
            effects = compute_effects(table, experiment, arms, rule)
        except DataError:
            # Nothing is left to compare: that says nothing about these units.
            return ()
        if declared is not None:
            labels.append(
                {
                    name: guardrail(
                        effect,
                        declared.margin,
                        relative=declared.scale is MarginScale.RELATIVE,
                        higher_is_better=declared.direction is Direction.INCREASE,
                    ).verdict
                    for name, effect in effects.items()
                }
            )
            continue
        p_values = correct_p_values([effect.p_value for effect in effects.values()], "holm")
        labels.append(
            {
                name: ("more" if effect.absolute.value > 0.0 else "less") if p <= experiment.decision.alpha else _NONE
                for (name, effect), p in zip(effects.items(), p_values, strict=True)
            }
        )
    return tuple(name for name, label in labels[0].items() if label not in (_NONE, labels[1][name]))


def _jackknife_spread(table: UnitTable, capped: UnitSums) -> float:
    if capped.denominator is None:
        return 1.0
    spread = 1.0
    for code in range(len(table.arms)):
        own = table.arm == code
        numerator, denominator = capped.numerator[own], capped.denominator[own]
        if len(numerator) < 2 or not denominator.sum() > 0.0:
            continue
        delta = JointMoments.from_columns(numerator, denominator).ratio().marginal().variance_of_mean
        if delta > 0.0:
            spread = max(spread, float(np.sqrt(jackknife_variance(numerator, denominator) / delta)))
    return spread

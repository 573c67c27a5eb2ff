"""Interactions: whether the effect of an experiment depends on the arm of another one that runs at the same time.

For each pair of arms there are four cells: units in both controls, in one of the arms, in both. The interaction is the
difference of the two differences. The arm in the other experiment is the assigned one, so it does not depend on what
units do; units that the other experiment never showed anything only dilute an interaction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.errors import DataError
from recsys.experiments.analysis.comparisons import Rule, metric_by_arm, weighted_arms
from recsys.experiments.analysis.unit_table import UnitTable
from recsys.experiments.design.assignment import Plan
from recsys.experiments.design.definition import Experiment, Looks, Status
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.stats.effect import Estimate
from recsys.experiments.stats.fixed import FEWEST_VALUES
from recsys.experiments.stats.moments import Moments
from recsys.experiments.stats.multiplicity import correct_p_values


@dataclass(frozen=True, slots=True)
class Interaction:
    """Interaction of an arm with an arm of another experiment.

    Attributes:
        arm: name of the arm.
        other: key of the other experiment.
        other_arm: name of the arm there.
        units: units of the four cells.
        alone: difference to the control among units in the control of the other experiment, in the metric's unit.
        together: the same among units in `other_arm`.
        difference: together - alone, with its interval.
        p_value: of no interaction.
        p_corrected: corrected by Holm over all pairs of arms.
        found: True if `p_corrected` is at most alpha.
    """

    arm: str
    other: str
    other_arm: str
    units: int
    alone: float
    together: float
    difference: Estimate
    p_value: float
    p_corrected: float
    found: bool


def compute_interactions(
    table: UnitTable,
    experiment: Experiment,
    others: Iterable[Experiment],
    metric: MetricName,
    rule: Rule,
) -> tuple[Interaction, ...]:
    """Compute the interactions with all `others` that can share units; pairs with too few values are left out.

    Args:
        table: units of the experiment.
        experiment: definition of the experiment.
        others: experiments of the same project; those that do not run or cannot share units are left out.
        metric: name of the metric.
        rule: rule of comparison.
    """
    found = [
        one
        for other in sorted(others, key=lambda other: other.key)
        if share_units(experiment, other)
        for one in _pairs(table, experiment, other, metric, rule)
    ]
    p_values = correct_p_values([one.p_value for one in found], "holm")
    # Before the only look nothing is found, as for effects.
    waits = experiment.decision.monitoring is Looks.FIXED and rule.looks is Looks.SEQUENTIAL
    return tuple(
        replace(one, p_corrected=float(p), found=bool(p <= experiment.decision.alpha) and not waits)
        for one, p in zip(found, p_values, strict=True)
    )


def share_units(one: Experiment, other: Experiment) -> bool:
    """Return True if `other` runs and both can have the same unit: no common namespace, and targeting allows it."""
    exclusive = one.namespace is not None and other.namespace is not None and one.namespace.name == other.namespace.name
    return (
        one.key != other.key
        and other.status is Status.RUNNING
        and one.unit is other.unit
        and not exclusive
        and not one.targeting.excludes(other.targeting)
    )


def _pairs(
    table: UnitTable, experiment: Experiment, other: Experiment, metric: MetricName, rule: Rule
) -> Iterator[Interaction]:
    plan = Plan.from_experiment(other)
    codes = plan.assign_many(table.ids.to_pylist())
    control, other_control = table.arms.index(experiment.control), plan.arms.index(other.control)
    for name in weighted_arms(experiment):
        arm = table.arms.index(name)
        for other_name in weighted_arms(other):
            other_arm = plan.arms.index(other_name)
            inside = np.isin(table.arm, (control, arm)) & np.isin(codes, (other_control, other_arm))
            # Cells by code: neither, only the other arm, only this arm, both.
            cells = 2 * (table.arm == arm).astype(np.int64) + (codes == other_arm)
            counts = np.bincount(cells[inside], minlength=4)
            if counts.min() < 2:
                continue
            four = replace(table, arm=cells, arms=("neither", "other", "own", "both"))
            try:
                neither, only_other, own, both = metric_by_arm(four, metric, subset=inside).adjusted.arms
            except DataError:
                # Nothing to divide by in a cell.
                continue
            if _smallest_values((neither, only_other, own, both)) < FEWEST_VALUES:
                continue
            pooled = _sum_means(both, neither), _sum_means(own, only_other)
            share = sum(one.n for one in pooled) / len(table)
            own_rule = replace(rule, tightest_at=max(rule.tightest_at * share, 1.0), progress=None)
            effect = own_rule.compare(pooled[0], pooled[1])
            if not (math.isfinite(effect.absolute.low) and math.isfinite(effect.absolute.high)):
                continue
            yield Interaction(
                arm=name,
                other=other.key,
                other_arm=other_name,
                units=int(counts.sum()),
                alone=own.mean - neither.mean,
                together=both.mean - only_other.mean,
                difference=effect.absolute,
                p_value=effect.p_value,
                p_corrected=effect.p_value,
                found=False,
            )


def _smallest_values(cells: Sequence[Moments]) -> float:
    """Return the effective number of values that the smallest cell would have if all were alike."""
    share = min(cell.n for cell in cells) / sum(cell.n for cell in cells)
    together = (sum(sizes[1:], sizes[0]) for sizes in zip(*(cell.sizes for cell in cells), strict=True))
    return min((sizes.effective * share for sizes in together), default=math.inf)


def _sum_means(one: Moments, other: Moments) -> Moments:
    """Return moments whose mean is the sum of two means, with the variance of that sum.

    The number of units is the harmonic one, 1 / (1 / n + 1 / m), so that the variance is a weighted mean of both.
    """
    n = one.n * other.n / (one.n + other.n)
    units = max(int(n), 2)
    sizes = tuple(a + b for a, b in zip(one.sizes, other.sizes, strict=True))
    return Moments(units, one.mean + other.mean, units * (one.variance_of_mean + other.variance_of_mean), sizes)

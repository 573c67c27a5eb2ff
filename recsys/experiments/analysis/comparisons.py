"""Comparison of every arm with the control in every metric, from a unit table, by the experiment's rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import DataError
from recsys.experiments.analysis.unit_caps import UnitSums, cap_units
from recsys.experiments.analysis.unit_table import UnitTable
from recsys.experiments.design.definition import Experiment, Looks
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.stats.bayes_beta import beta_posterior
from recsys.experiments.stats.bayes_normal import normal_posterior
from recsys.experiments.stats.checks import check_arms
from recsys.experiments.stats.cuped import Adjusted, adjust
from recsys.experiments.stats.effect import Effect
from recsys.experiments.stats.fixed import two_means
from recsys.experiments.stats.guardrails import Guardrail as GuardrailResult
from recsys.experiments.stats.moments import JointMoments, Moments, Values
from recsys.experiments.stats.posterior import Posterior
from recsys.experiments.stats.power import Baseline, Design, sample_size, smallest_effect
from recsys.experiments.stats.proportions import Proportion
from recsys.experiments.stats.sequential import always_valid
from recsys.experiments.stats.winsorize import Cap
from recsys.schema import BoolArray

FEWEST_UNITS = 100
"""Fewest units of each arm in a segment that is shown."""
HOPE = 1.96
"""Standard errors from the estimate to the best plausible effect: the good end of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Rule of comparison of two arms.

    Attributes:
        looks: monitoring, `sequential` or `fixed`.
        level: confidence level.
        tightest_at: units of both arms at which always-valid intervals are narrowest, if no end was declared.
        progress: share of the declared run that is over at the look; None if no end was declared.
    """

    looks: Looks
    level: float
    tightest_at: float
    progress: float | None = None

    def compare(self, arm: Moments, control: Moments, shared: float = 0.0) -> Effect:
        """Compare an arm with the control at the only look, or at any look."""
        if self.looks is Looks.FIXED:
            return two_means(arm, control, level=self.level, shared=shared)
        return always_valid(
            arm, control, tightest_at=self.tightest_at, progress=self.progress, level=self.level, shared=shared
        )


def declared_progress(experiment: Experiment, at: int, units: int) -> float | None:
    """Return the share of the declared run that is over at a time (seconds since 1970 UTC); None without an end.

    If a date is declared, it is the share of days: information comes in with time, even if all units came in on the
    first day and only their values grow. If only a number of units is declared, it is the share of `units`, but before
    `minimum_days` at most the share of these days.
    """
    decision, start = experiment.decision, experiment.started_at
    if start is None or not decision.names_its_end:
        return None
    seconds = max(at - start, 1)
    if decision.end_at is not None:
        return seconds / max(decision.end_at - start, 1)
    return min(units / (decision.planned_units or units), seconds / (decision.minimum_days * SECONDS_PER_DAY))


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """Moments of one metric for all arms (k).

    Attributes:
        adjusted: moments adjusted by CUPED.
        raw: means (k,) without adjustment.
        cap: cap of revenue, else None.
        successes: successes (k,) of a proportion that is not adjusted, else None.
        cuped: True if the moments are adjusted.
    """

    adjusted: Adjusted
    raw: tuple[float, ...]
    cap: Cap | None
    successes: tuple[int, ...] | None
    cuped: bool


def metric_by_arm(
    table: UnitTable, metric: MetricName, until: int | None = None, subset: BoolArray | None = None
) -> Arms:
    """Compute moments of a metric by arm, adjusted by pre-period covariates.

    Args:
        table: units of the experiment.
        metric: name of the metric.
        until: only units exposed, and rows logged, by this time (seconds since 1970 UTC).
        subset: mask (n,) of units.

    Raises:
        DataError: if the logs do not contain the metric, or if an arm has no unit or nothing to divide by.
    """
    if metric not in table.metrics:
        raise DataError(f"{metric}: {table.unmeasured[metric]}")
    measured = table.metrics[metric]
    included = np.ones(len(table), dtype=np.bool_) if subset is None else subset
    if until is not None:
        included = included & (table.first <= until)
    numerator = measured.numerator.sums(len(table), until)
    denominator = None if measured.denominator is None else measured.denominator.sums(len(table), until)
    return moments_by_arm(table, metric, included, numerator, denominator)


def moments_by_arm(
    table: UnitTable, metric: MetricName, included: BoolArray, numerator: Values, denominator: Values | None
) -> Arms:
    """Compute `metric_by_arm` from given sums (n,) of numerator and denominator, for `included` units (n,)."""
    sums, cap = cap_units(table, metric, UnitSums(numerator, denominator, table.metrics[metric].before), included)
    numerator, denominator, before = sums.numerator, sums.denominator, sums.before
    joint, raw, successes = [], [], []
    for code, name in enumerate(table.arms):
        own = included & (table.arm == code)
        columns = [numerator[own]] if denominator is None else [numerator[own], denominator[own]]
        moments = JointMoments.from_columns(*columns, *([] if before is None else [before[own]]))
        successes.append(int(numerator[own].sum()))
        if denominator is not None and moments.n:
            if moments.means[1] == 0.0:
                raise DataError(f"{metric}: arm {name!r} has nothing to divide by; wait for more data")
            moments = moments.ratio()
        joint.append(moments)
        raw.append(float(moments.means[0]))
    proportion = metric is MetricName.CONVERSION and before is None
    if before is None:
        adjusted = Adjusted(tuple(moments.marginal() for moments in joint), (), 0.0, 1.0)
    else:
        # An arm without units gets as many columns as the others.
        width = max((len(moments.means) for moments in joint if moments.n), default=2)
        empty = JointMoments(0, np.zeros(width), np.zeros((width, width)))
        adjusted = adjust([moments if moments.n else empty for moments in joint])
    return Arms(adjusted, tuple(raw), cap, tuple(successes) if proportion else None, before is not None)


@dataclass(frozen=True, slots=True)
class Detectable:
    """Smallest effect that the units so far can show, and units needed for the estimated one.

    Attributes:
        absolute: smallest effect that is found with the planned power, in the metric's unit.
        relative: the same, relative to the control's mean; None if that is not possible.
        units: units of both arms needed to find an effect as large as the estimated one; None if that is 0.
        hopeful_units: units needed to find the best plausible effect, HOPE standard errors better than the estimate;
            None if even that one would be no improvement.
    """

    absolute: float
    relative: float | None
    units: int | None
    hopeful_units: int | None


class Role(StrEnum):
    """Role of a metric: it decides, it explains, or it must not get worse."""

    PRIMARY = "decides"
    SECONDARY = "explains"
    GUARDRAIL = "guards"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison of an arm with the control in one metric.

    Attributes:
        metric: name of the metric.
        role: role of the metric.
        direction: direction in which the metric improves.
        arm: name of the arm.
        control_mean: mean of the control, without adjustment.
        arm_mean: mean of the arm, without adjustment.
        effect: effect, adjusted by CUPED.
        p_corrected: p-value corrected by Holm: for the primary metric over arms, for secondary metrics over metrics
            and arms. Guardrails must all hold, and need no correction.
        better: True if `p_corrected` is at most alpha and the effect is good.
        worse: True if `p_corrected` is at most alpha and the effect is bad.
        guardrail: result of the non-inferiority test; None for other roles.
        posterior: Bayesian comparison; None if the data do not give one.
        detectable: smallest effect that could have been found; None without variance of the control or enough
            values.
        cap: cap of a unit's revenue, and what it cut; None for other metrics.
        variance_left: share of the variance that CUPED leaves, 1 without CUPED.
        needed_days: days until the units that `effect.needed_units` names are there; None if nothing is missing, or
            at the present rate never.
    """

    metric: MetricName
    role: Role
    direction: Direction
    arm: str
    control_mean: float
    arm_mean: float
    effect: Effect
    p_corrected: float
    better: bool
    worse: bool
    guardrail: GuardrailResult | None
    posterior: Posterior | None
    detectable: Detectable | None
    cap: Cap | None
    variance_left: float
    needed_days: int | None = None


def compute_effects(table: UnitTable, experiment: Experiment, arms: Arms, rule: Rule) -> dict[str, Effect]:
    """Compute the effect of each weighted arm, by name.

    Raises:
        DataError: if an arm has fewer than 2 units.
    """
    control = table.arms.index(experiment.control)
    found = {}
    for name in weighted_arms(experiment):
        code = table.arms.index(name)
        t, c = arms.adjusted.arms[code], arms.adjusted.arms[control]
        # Checked here first, by the names of this experiment.
        check_arms(**{name: t, experiment.control: c})
        found[name] = rule.compare(t, c, arms.adjusted.shared)
    return found


def weighted_arms(experiment: Experiment) -> tuple[str, ...]:
    """Return the arms other than the control with a weight above 0; arms without weight have only forced units."""
    return tuple(name for name in experiment.other_arms if experiment.arms[name].weight > 0)


def compute_posterior(table: UnitTable, experiment: Experiment, arms: Arms, arm: str, level: float) -> Posterior | None:
    """Compute the posterior of an arm: Beta for proportions, else Normal; None if the data do not give one."""
    code, control = table.arms.index(arm), table.arms.index(experiment.control)
    t, c = arms.adjusted.arms[code], arms.adjusted.arms[control]
    try:
        if arms.successes is not None:
            return beta_posterior(
                Proportion(arms.successes[code], t.n), Proportion(arms.successes[control], c.n), level=level
            )
        return normal_posterior(t, c, level=level, shared=arms.adjusted.shared)
    except DataError:
        return None


def compute_detectable(
    table: UnitTable,
    experiment: Experiment,
    arms: Arms,
    arm: str,
    effect: Effect,
    alpha: float,
    direction: Direction,
) -> Detectable | None:
    """Compute the smallest detectable effect of an arm; None without variance of the control or enough values.

    Args:
        table: units of the experiment.
        experiment: definition of the experiment.
        arms: moments of the metric by arm.
        arm: name of the arm.
        effect: estimated effect of the arm.
        alpha: two-sided type I error rate of the planned test.
        direction: direction in which the metric improves.
    """
    code, control = table.arms.index(arm), table.arms.index(experiment.control)
    t, c = arms.adjusted.arms[code], arms.adjusted.arms[control]
    if c.variance == 0.0 or t.n == 0 or effect.needed_units is not None:
        return None
    decision, units = experiment.decision, t.n + c.n
    design = Design(
        alpha=alpha,
        power=decision.power,
        share=t.n / units,
        look_any_day=decision.monitoring is Looks.SEQUENTIAL,
        open_end=not decision.names_its_end,
    )
    baseline = Baseline.from_moments(c)
    found = smallest_effect(baseline, units, design)
    value = effect.absolute.value
    needed = None if value == 0.0 else sample_size(baseline, value, design).total
    sign = 1.0 if direction is Direction.INCREASE else -1.0
    hopeful = sign * value + HOPE * (t.variance_of_mean + c.variance_of_mean) ** 0.5
    hoped = None if hopeful <= 0.0 else sample_size(baseline, sign * hopeful, design).total
    return Detectable(found.absolute, found.relative, needed, hoped)


def has_enough_units(table: UnitTable, subset: BoolArray, experiment: Experiment) -> bool:
    """Return True if the control and every weighted arm have FEWEST_UNITS or more in `subset` (n,)."""
    counts = np.bincount(table.arm[subset], minlength=len(table.arms))
    names: Mapping[str, int] = dict(zip(table.arms, map(int, counts), strict=True))
    return all(names[name] >= FEWEST_UNITS for name in (experiment.control, *weighted_arms(experiment)))

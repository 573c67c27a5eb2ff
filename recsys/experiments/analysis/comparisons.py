"""From a table of units to effects: each metric of each treatment against the control, by the experiment's rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from recsys.errors import DataError
from recsys.experiments.analysis.unit_table import UnitTable
from recsys.experiments.design.definition import Experiment, Looks
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.stats.bayes_beta import beta_posterior
from recsys.experiments.stats.bayes_normal import normal_posterior
from recsys.experiments.stats.cuped import Adjusted, adjust
from recsys.experiments.stats.effect import Effect
from recsys.experiments.stats.fixed import welch
from recsys.experiments.stats.guardrails import Guardrail as GuardrailResult
from recsys.experiments.stats.moments import JointMoments, Moments, Values
from recsys.experiments.stats.posterior import Posterior
from recsys.experiments.stats.power import Baseline, Design, sample_size, smallest_effect
from recsys.experiments.stats.proportions import Proportion, two_proportions
from recsys.experiments.stats.sequential import FEWEST, always_valid
from recsys.experiments.stats.winsorize import pooled_cap, winsorize
from recsys.schema import BoolArray

HOPE = 1.96
"""Standard errors from the estimate to the best effect that may well be true: the good end of a 95 % interval."""
CAP_PERCENTILE = 0.999
"""Of revenues above 0, all arms together: what is above counts as that much."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How two arms are compared. `tightest_at`: units of both at which intervals for any look are narrowest."""

    looks: Looks
    level: float
    tightest_at: float

    def effect(self, treatment: Moments, control: Moments, shared: float = 0.0) -> Effect:
        """Treatment against control, for one look or for any."""
        if self.looks is Looks.FIXED:
            return welch(treatment, control, level=self.level, shared=shared)
        return always_valid(treatment, control, tightest_at=self.tightest_at, level=self.level, shared=shared)


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """A metric of all arms (k). `raw`: means of the arms before adjustment. `cap`: of winsorized values, else None.

    `successes`: of a proportion that is not adjusted, else None.
    """

    adjusted: Adjusted
    raw: tuple[float, ...]
    cap: float | None
    successes: tuple[int, ...] | None
    cuped: bool


def arms_of(table: UnitTable, metric: MetricName, until: int | None = None, where: BoolArray | None = None) -> Arms:
    """Moments of a metric by arm, of units first exposed by `until` and in `where` (n,), adjusted by what came before.

    Raises DataError where the logs do not have the metric, or an arm has no unit or nothing to divide by.
    """
    if metric not in table.metrics:
        raise DataError(f"{metric}: {table.unmeasured[metric]}")
    measured = table.metrics[metric]
    kept = np.ones(len(table), dtype=np.bool_) if where is None else where
    if until is not None:
        kept = kept & (table.first <= until)
    numerator = measured.numerator.sums(len(table), until)
    denominator = None if measured.denominator is None else measured.denominator.sums(len(table), until)
    return moments_by_arm(table, metric, kept, numerator, denominator)


def moments_by_arm(
    table: UnitTable, metric: MetricName, kept: BoolArray, numerator: Values, denominator: Values | None
) -> Arms:
    """As `arms_of`, from sums (n,) that are there already."""
    before, cap = table.metrics[metric].before, None
    if metric is MetricName.REVENUE_PER_USER:
        cap = pooled_cap(numerator[kept], CAP_PERCENTILE, above_zero=True)
        numerator = winsorize(numerator, cap)
        if before is not None:
            past_cap = pooled_cap(before[kept, 0], CAP_PERCENTILE, above_zero=True)
            before = np.column_stack([winsorize(before[:, 0], past_cap), before[:, 1:]])
    joint, raw, successes = [], [], []
    for code, name in enumerate(table.arms):
        own = kept & (table.arm == code)
        columns = [numerator[own]] if denominator is None else [numerator[own], denominator[own]]
        moments = JointMoments.of(*columns, *([] if before is None else [before[own]]))
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
        adjusted = adjust(_same_width(joint))
    return Arms(adjusted, tuple(raw), cap, tuple(successes) if proportion else None, before is not None)


def _same_width(joint: list[JointMoments]) -> list[JointMoments]:
    """An arm without units has as many columns as the others."""
    width = max(len(moments.means) for moments in joint)
    empty = JointMoments(0, np.zeros(width), np.zeros((width, width)))
    return [moments if moments.n else empty for moments in joint]


@dataclass(frozen=True, slots=True)
class Seen:
    """What could have been seen of a metric so far, and how long it takes.

    `absolute`, `relative`: the smallest effect that is found with the planned power by the units there are.
    `units`: of both arms, to find an effect as large as the one estimated; None where that is 0. `hopeful_units`: to
    find one that is HOPE standard errors better than that; None where even such a one would not be wished.
    """

    absolute: float
    relative: float | None
    units: int | None
    hopeful_units: int | None


class Role(StrEnum):
    """What a metric is there for: it decides, it explains, or it must not get worse."""

    PRIMARY = "decides"
    SECONDARY = "explains"
    GUARDRAIL = "guards"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A treatment against the control in one metric.

    `control_mean`, `treatment_mean`: as they are, without adjustment; `effect` is adjusted. `p_corrected`: by Holm, of
    the primary metric over treatments, of the secondary ones over metrics and treatments; guardrails, all of which must
    hold, need none. `better`, `worse`: whether that is at most alpha, in the direction that is wished or the other.
    `guardrail`: of those alone. `cap`: of a unit's value. `variance_left`: by CUPED, 1 without.
    """

    metric: MetricName
    role: Role
    direction: Direction
    treatment: str
    control_mean: float
    treatment_mean: float
    effect: Effect
    p_corrected: float
    better: bool
    worse: bool
    guardrail: GuardrailResult | None
    posterior: Posterior | None
    seen: Seen | None
    cap: float | None
    variance_left: float


def effects(table: UnitTable, experiment: Experiment, arms: Arms, rule: Rule) -> dict[str, Effect]:
    """Of each treatment with weight, by name. Raises DataError for an arm of fewer than 2 units."""
    control = table.arms.index(experiment.control)
    found = {}
    for name in live_treatments(experiment):
        code = table.arms.index(name)
        t, c = arms.adjusted.arms[code], arms.adjusted.arms[control]
        if rule.looks is Looks.FIXED and arms.successes is not None and min(t.n, c.n) > 0:
            pair = Proportion(arms.successes[code], t.n), Proportion(arms.successes[control], c.n)
            found[name] = two_proportions(*pair, level=rule.level)
        else:
            found[name] = rule.effect(t, c, arms.adjusted.shared)
    return found


def live_treatments(experiment: Experiment) -> tuple[str, ...]:
    """Treatments with a weight: others have forced units alone."""
    return tuple(name for name in experiment.treatments if experiment.arms[name].weight > 0)


def posterior_of(
    table: UnitTable, experiment: Experiment, arms: Arms, treatment: str, level: float
) -> Posterior | None:
    """The Bayesian companion: Beta for proportions, else Normal; None where the data do not give one."""
    code, control = table.arms.index(treatment), table.arms.index(experiment.control)
    t, c = arms.adjusted.arms[code], arms.adjusted.arms[control]
    try:
        if arms.successes is not None:
            return beta_posterior(
                Proportion(arms.successes[code], t.n), Proportion(arms.successes[control], c.n), level=level
            )
        return normal_posterior(t, c, level=level, shared=arms.adjusted.shared)
    except DataError:
        return None


def seen_of(
    table: UnitTable,
    experiment: Experiment,
    arms: Arms,
    treatment: str,
    effect: Effect,
    alpha: float,
    direction: Direction,
) -> Seen | None:
    """None where the control has no spread, from which nothing can be planned."""
    code, control = table.arms.index(treatment), table.arms.index(experiment.control)
    t, c = arms.adjusted.arms[code], arms.adjusted.arms[control]
    if c.variance == 0.0 or t.n == 0:
        return None
    decision, units = experiment.decision, t.n + c.n
    design = Design(
        alpha=alpha, power=decision.power, share=t.n / units, look_any_day=decision.looks is Looks.SEQUENTIAL
    )
    baseline = Baseline.of(c)
    found = smallest_effect(baseline, units, design)
    value = effect.absolute.value
    needed = None if value == 0.0 else sample_size(baseline, value, design).total
    sign = 1.0 if direction is Direction.INCREASE else -1.0
    hopeful = sign * value + HOPE * (t.variance_of_mean + c.variance_of_mean) ** 0.5
    hoped = None if hopeful <= 0.0 else sample_size(baseline, sign * hopeful, design).total
    return Seen(found.absolute, found.relative, needed, hoped)


def enough(table: UnitTable, where: BoolArray, experiment: Experiment) -> bool:
    """Whether every arm with weight has so many units of `where` (n,) that something can be said."""
    counts = np.bincount(table.arm[where], minlength=len(table.arms))
    names: Mapping[str, int] = dict(zip(table.arms, map(int, counts), strict=True))
    return all(names[name] >= FEWEST for name in (experiment.control, *live_treatments(experiment)))

"""Analysis of an experiment from its definition and logs: health checks first, then effects, then a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import ConfigError, DataError, ExperimentError
from recsys.experiments.analysis.columnar_logs import ListValues, read_logs
from recsys.experiments.analysis.comparisons import (
    Comparison,
    Role,
    Rule,
    compute_detectable,
    compute_effects,
    compute_posterior,
    declared_progress,
    has_enough_units,
    metric_by_arm,
    weighted_arms,
)
from recsys.experiments.analysis.decision import Decision, decide
from recsys.experiments.analysis.declared_look import (
    DeclaredLook,
    cut_logs,
    describe_look,
    find_end,
    first_exposures,
    units_per_day,
)
from recsys.experiments.analysis.effects.interactions import Interaction, compute_interactions
from recsys.experiments.analysis.effects.novelty import Novelty, compute_novelty
from recsys.experiments.analysis.effects.over_time import Look, compute_looks
from recsys.experiments.analysis.log_health import Finding, check_health
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.analysis.unit_table import UnitTable, build_unit_table
from recsys.experiments.design.definition import Experiment, Guardrail, Looks, MarginScale, Status
from recsys.experiments.design.fields import format_time
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.stats.effect import Effect
from recsys.experiments.stats.guardrails import guardrail
from recsys.experiments.stats.multiplicity import Correction, correct_p_values
from recsys.experiments.stats.power import days_needed


@dataclass(frozen=True, slots=True)
class SegmentEffect:
    """Effect on the primary metric among the `units` with a `value` of `column` at their first exposure.

    `p_corrected` is corrected by Benjamini-Hochberg over all segments and arms.
    """

    column: str
    value: str
    arm: str
    units: int
    effect: Effect
    p_corrected: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """Result of an analysis. Unless it is `healthy`, no effect is in it.

    Attributes:
        experiment: definition of the experiment.
        now: time of the analysis, seconds since 1970 UTC.
        until: end of the analyzed logs, seconds since 1970 UTC.
        days: days from the start to `until`.
        units: number of units by arm.
        exposures: number of their exposures.
        forced: number of forced units, which are left out.
        health: result of every health check.
        comparisons: comparison of every arm with the control, for every metric.
        over_time: effect on the primary metric at the end of each day.
        segments: effect on the primary metric by segment.
        novelty: trend of the effect on the primary metric by day since the first exposure, by arm; arms with too few
            values are left out.
        interactions: dependence of the effect on the primary metric on the arm in each other experiment; pairs with too
            few values are left out.
        unmeasured: reason by declared metric that the logs do not contain.
        tightest_at: number of units for which always-valid intervals are tuned.
        look: declared look, and if it is reached.
        days_left: days by arm until an effect as large as the estimated one would be found; None for never.
        decision: recommendation with its reasons.
    """

    experiment: Experiment
    now: int
    until: int
    days: float
    units: Mapping[str, int]
    exposures: int
    forced: int
    health: tuple[Finding, ...]
    comparisons: tuple[Comparison, ...]
    over_time: tuple[Look, ...]
    segments: tuple[SegmentEffect, ...]
    novelty: tuple[Novelty, ...]
    interactions: tuple[Interaction, ...]
    unmeasured: Mapping[MetricName, str]
    tightest_at: float
    look: DeclaredLook
    days_left: Mapping[str, int | None]
    decision: Decision

    @property
    def healthy(self) -> bool:
        """True if all health checks are sound."""
        return all(finding.sound for finding in self.health)

    @property
    def primary(self) -> tuple[Comparison, ...]:
        """Comparisons in the primary metric, one per arm; empty if it is not shown."""
        return tuple(one for one in self.comparisons if one.role is Role.PRIMARY)


def analyze(
    experiment: Experiment,
    logs: Logs,
    now: int,
    *,
    until: int | None = None,
    diversity: ListValues | None = None,
    planned_units: int | None = None,
    assigned_here: bool = True,
    others: Iterable[Experiment] = (),
) -> Analysis:
    """Analyze an experiment that was started.

    Rows after the declared end are ignored, so that the result stays the same after it.

    Args:
        experiment: definition of the experiment.
        logs: exposures, events and ratings.
        now: present time, seconds since 1970 UTC.
        until: analyze the logs as they were at this time, at most `now`. By default all rows are read, and rows after
            `now` count as wrong clocks.
        diversity: function that computes the style diversity of lists, for logs without that column
            (`style_diversity.StyleVariety`).
        planned_units: number of units for which always-valid intervals are tuned. Default: the declared number, else
            the first day's units times the planned days, which is the same in every later analysis.
        assigned_here: False if another system assigned the arms.
        others: experiments of the same project, whose interactions with this one are tested. They are not used unless
            the arms were assigned here.

    Raises:
        ExperimentError: if the experiment is a draft.
        ConfigError: if a number is out of range.
        DataError: if the logs cannot be analyzed; names file, row and column if there are such.
    """
    if experiment.status is Status.DRAFT or experiment.started_at is None:
        raise ExperimentError(f"{experiment.key}: is a draft, there is nothing to analyze; start it first")
    if until is not None and not experiment.started_at <= until <= now:
        raise ConfigError(
            f"until is {format_time(until)}: give a time from the start, {format_time(experiment.started_at)}, to now"
        )
    if now < experiment.started_at:
        raise ExperimentError(f"{experiment.key}: starts after the time of analysis; set this machine's clock")
    if planned_units is not None and planned_units < 1:
        raise ConfigError(f"planned_units is {planned_units}: give a number of units, 1 or more")
    declared = experiment.decision.planned_units
    if None not in (planned_units, declared) and planned_units != declared:
        raise ConfigError(f"planned_units is {planned_units}, but the experiment declares {declared}; leave it out")
    horizon = now if until is None else until
    horizon = horizon if experiment.stopped_at is None else min(horizon, experiment.stopped_at)
    columns = read_logs(experiment, logs, diversity)
    first = first_exposures(columns, experiment, horizon)
    reached = find_end(columns, experiment, horizon)
    if reached is not None:
        columns, until = cut_logs(columns, reached), reached
    look = describe_look(experiment, first, reached, horizon)
    table = build_unit_table(columns, experiment, now, until)
    end = horizon if reached is None else reached
    units = dict(zip(table.arms, map(int, table.counts()), strict=True))
    days = (end - experiment.started_at) / SECONDS_PER_DAY
    tightest_at = float(planned_units or declared or expected_units(table, experiment))
    # Before the only look, intervals hold on any day: they show harm, and nobody is misled by reading them early.
    looks = Looks.SEQUENTIAL if look.waits else look.looks
    rule = Rule(looks, 1.0 - experiment.decision.alpha, tightest_at, declared_progress(experiment, end, len(table)))
    health = check_health(table, experiment, columns, rule, end, assigned_here=assigned_here)
    del columns
    found = _Effects((), (), (), (), (), {}, {}, {})
    if all(finding.sound for finding in health):
        found = _effects(table, experiment, rule, end, look, others if assigned_here else ())
    decision = decide(
        experiment,
        health,
        found.comparisons,
        look=look,
        days=days,
        days_left=found.days_left,
        days_hoped=found.days_hoped,
        unmeasured=found.unmeasured,
        scarce=[name for name, count in units.items() if count == 1 and experiment.arms[name].weight > 0],
    )
    return Analysis(
        experiment=experiment,
        now=now,
        until=end,
        days=days,
        units=units,
        exposures=table.exposures,
        forced=table.forced,
        health=health,
        comparisons=found.comparisons,
        over_time=found.over_time,
        segments=found.segments,
        novelty=found.novelty,
        interactions=found.interactions,
        unmeasured=found.unmeasured,
        tightest_at=tightest_at,
        look=look,
        days_left=found.days_left,
        decision=decision,
    )


def expected_units(table: UnitTable, experiment: Experiment) -> float:
    """Return the first day's units times the planned days: known early, and the same in every later analysis."""
    first_day = int(np.count_nonzero(table.first < table.first.min() + SECONDS_PER_DAY))
    decision, start = experiment.decision, experiment.started_at or 0
    days = decision.minimum_days if decision.end_at is None else (decision.end_at - start) / SECONDS_PER_DAY
    return max(first_day * days, 1.0)


@dataclass(frozen=True, slots=True)
class _Effects:
    comparisons: tuple[Comparison, ...]
    over_time: tuple[Look, ...]
    segments: tuple[SegmentEffect, ...]
    novelty: tuple[Novelty, ...]
    interactions: tuple[Interaction, ...]
    unmeasured: Mapping[MetricName, str]
    days_left: Mapping[str, int | None]
    days_hoped: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class _DeclaredMetric:
    """Declared metric, its role, and its guardrail if it is one."""

    metric: MetricName
    direction: Direction
    role: Role
    guardrail: Guardrail | None = None


def _effects(
    table: UnitTable,
    experiment: Experiment,
    rule: Rule,
    until: int,
    look: DeclaredLook,
    others: Iterable[Experiment],
) -> _Effects:
    comparisons: list[Comparison] = []
    unmeasured: dict[MetricName, str] = {}
    main, *secondary = experiment.metrics
    declared = [
        _DeclaredMetric(main.name, main.direction, Role.PRIMARY),
        *(_DeclaredMetric(one.name, one.direction, Role.SECONDARY) for one in secondary),
        *(_DeclaredMetric(one.metric, one.direction, Role.GUARDRAIL, one) for one in experiment.guardrails),
    ]
    for one in declared:
        try:
            comparisons += _compare(table, experiment, one, rule)
        except DataError as error:
            unmeasured[one.metric] = str(error).removeprefix(f"{one.metric}: ")
    comparisons = _correct(comparisons, experiment.decision.alpha, decides=not look.waits)
    if not look.reached:
        comparisons = _with_needed_days(table, experiment, comparisons, until)
    primary = experiment.primary.name
    if primary in unmeasured:
        return _Effects(tuple(comparisons), (), (), (), (), unmeasured, {}, {})
    any_look = replace(rule, looks=Looks.SEQUENTIAL)
    left = _days_left(table, experiment, comparisons, until)
    return _Effects(
        comparisons=tuple(comparisons),
        over_time=compute_looks(table, experiment, primary, any_look, until),
        segments=_segments(table, experiment, rule),
        novelty=compute_novelty(table, experiment, primary, rule, until),
        interactions=compute_interactions(table, experiment, others, primary, rule),
        unmeasured=unmeasured,
        days_left={name: days for name, (days, _) in left.items()},
        days_hoped={name: days for name, (_, days) in left.items()},
    )


def _compare(table: UnitTable, experiment: Experiment, declared: _DeclaredMetric, rule: Rule) -> list[Comparison]:
    arms = metric_by_arm(table, declared.metric)
    control = table.arms.index(experiment.control)
    found = []
    # Holm tests the smallest p-value at alpha / arms: the reported power is for that test.
    alpha = experiment.decision.alpha / (len(weighted_arms(experiment)) if declared.role is Role.PRIMARY else 1)
    for name, effect in compute_effects(table, experiment, arms, rule).items():
        found.append(
            Comparison(
                metric=declared.metric,
                role=declared.role,
                direction=declared.direction,
                arm=name,
                control_mean=arms.raw[control],
                arm_mean=arms.raw[table.arms.index(name)],
                effect=effect,
                p_corrected=effect.p_value,
                better=False,
                worse=False,
                guardrail=None
                if declared.guardrail is None
                else guardrail(
                    effect,
                    declared.guardrail.margin,
                    relative=declared.guardrail.scale is MarginScale.RELATIVE,
                    higher_is_better=declared.direction is Direction.INCREASE,
                ),
                posterior=compute_posterior(table, experiment, arms, name, rule.level),
                detectable=compute_detectable(table, experiment, arms, name, effect, alpha, declared.direction),
                cap=arms.cap,
                variance_left=arms.adjusted.variance_left,
            )
        )
    return found


def _correct(comparisons: Sequence[Comparison], alpha: float, *, decides: bool) -> list[Comparison]:
    """Correct p-values by Holm within each role, and mark the comparisons that are significant after it.

    Before the only look (`decides` is False) none is marked as better: that would be a second look.
    """
    result = list(comparisons)
    for role, method in ((Role.PRIMARY, "holm"), (Role.SECONDARY, "holm"), (Role.GUARDRAIL, None)):
        rows = [row for row, one in enumerate(comparisons) if one.role is role]
        p_values = [comparisons[row].effect.p_value for row in rows]
        family = correct_p_values(p_values, "holm") if method else np.asarray(p_values, dtype=np.float64)
        for row, p_value in zip(rows, family, strict=True):
            one = comparisons[row]
            significant, rises = bool(p_value <= alpha), one.effect.absolute.value > 0
            good = rises == (one.direction is Direction.INCREASE)
            result[row] = replace(
                one, p_corrected=float(p_value), better=significant and good and decides, worse=significant and not good
            )
    return result


_EXPLORING: Correction = "benjamini-hochberg"


def _segments(table: UnitTable, experiment: Experiment, rule: Rule) -> tuple[SegmentEffect, ...]:
    """Compute effects in segments with enough units in each arm, for columns with more than one value."""
    metric, found = experiment.primary.name, []
    for column, (codes, names) in table.segments.items():
        if len(np.unique(codes)) < 2:
            continue
        for code, value in enumerate(names):
            inside = codes == code
            if not has_enough_units(table, inside, experiment):
                continue
            # Intervals are tuned to the segment's share of the planned units.
            own = replace(rule, tightest_at=max(rule.tightest_at * float(inside.mean()), 1.0))
            try:
                by_arm = compute_effects(table, experiment, metric_by_arm(table, metric, subset=inside), own)
            except DataError:
                # Nothing to divide by in this segment.
                continue
            found += [(column, value, name, int(inside.sum()), effect) for name, effect in by_arm.items()]
    p_values = correct_p_values([effect.p_value for *_, effect in found], _EXPLORING)
    return tuple(SegmentEffect(*one, p_corrected=float(p)) for one, p in zip(found, p_values, strict=True))


def _days_left(
    table: UnitTable, experiment: Experiment, comparisons: Sequence[Comparison], until: int
) -> dict[str, tuple[int | None, int | None]]:
    """Return by arm the days until the estimated effect would be found, and until the best plausible one would be."""
    left = {}
    for one in comparisons:
        if one.role is Role.PRIMARY:
            needed = (None, None) if one.detectable is None else (one.detectable.units, one.detectable.hopeful_units)
            found, hoped = (_days_until(table, experiment, one.arm, units, until) for units in needed)
            left[one.arm] = found, hoped
    return left


def _with_needed_days(
    table: UnitTable, experiment: Experiment, comparisons: Sequence[Comparison], until: int
) -> list[Comparison]:
    """Add the days until the units are there that a comparison without a statement needs."""
    return [
        replace(one, needed_days=_days_until(table, experiment, one.arm, one.effect.needed_units, until))
        for one in comparisons
    ]


def _days_until(table: UnitTable, experiment: Experiment, arm: str, units: int | None, until: int) -> int | None:
    """Return the days until an arm and the control have `units` at the present rate; None for never or unknown."""
    if units is None:
        return None
    counts = dict(zip(table.arms, map(int, table.counts()), strict=True))
    present = counts[arm] + counts[experiment.control]
    if units <= present:
        return 0
    rate = units_per_day(table.first, until) * present / len(table)
    return days_needed(units - present, rate, whole_weeks=False) if rate > 0.0 else None

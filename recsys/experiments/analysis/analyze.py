"""The analysis of an experiment, from its declaration and logs alone: health first, then effects, then a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import ConfigError, DataError, ExperimentError
from recsys.experiments.analysis.columnar_logs import ListValues, gather
from recsys.experiments.analysis.comparisons import (
    Comparison,
    Role,
    Rule,
    arms_of,
    effects,
    enough,
    live_treatments,
    posterior_of,
    seen_of,
)
from recsys.experiments.analysis.decision import Conclusion, conclude
from recsys.experiments.analysis.log_health import Finding, findings
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.analysis.over_time import Look, looks
from recsys.experiments.analysis.unit_table import UnitTable, unit_table
from recsys.experiments.design.definition import Experiment, Guardrail, Looks, MarginScale, Status
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.stats.effect import Effect
from recsys.experiments.stats.guardrails import Guardrail as GuardrailResult
from recsys.experiments.stats.guardrails import guardrail
from recsys.experiments.stats.multiplicity import Correction, corrected
from recsys.experiments.stats.power import days_needed

RATE_DAYS = 7
"""Of which the rate of new units is taken."""


@dataclass(frozen=True, slots=True)
class SegmentEffect:
    """The primary metric's effect among the `units` with a `value` of `column` (at their first exposure).

    `p_corrected`: by Benjamini-Hochberg over all segments and treatments.
    """

    column: str
    value: str
    treatment: str
    units: int
    effect: Effect
    p_corrected: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is known of an experiment at `now` (seconds since 1970 UTC).

    `until`: the end of what was looked at; `days` since the start. `units` of each arm, `exposures` of theirs, `forced`
    units that were left out. Unless it is `healthy`, there are no effects: `comparisons`, `over_time` and `segments`
    are empty. `unmeasured`: why a declared metric is not there. `tightest_at`: units for which intervals for any look
    were tuned. `days_left`: by treatment, until an effect as large as the one estimated would be found; None: never.
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
    unmeasured: Mapping[MetricName, str]
    tightest_at: float
    days_left: Mapping[str, int | None]
    conclusion: Conclusion

    @property
    def healthy(self) -> bool:
        """Whether all checks are sound."""
        return all(finding.sound for finding in self.health)

    @property
    def primary(self) -> tuple[Comparison, ...]:
        """Each treatment in the metric that decides; empty where that is not shown."""
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
) -> Analysis:
    """Analyse an experiment that was started.

    `until`: look at the logs as they were at that second, not after `now`; by default all is looked at, and what lies
    after `now` is a clock that is wrong. `diversity`: the variety of lists, where the log has none
    (`shown_styles.StyleVariety`). `planned_units`: for which intervals for any look are tuned; default: those of the
    first day times `minimum_days`, which does not change from look to look. `assigned_here`: False where somebody else
    assigned the arms. Raises ExperimentError for a draft, ConfigError for numbers out of range, DataError for logs that
    cannot be analyzed, with file, row and column where there are such.
    """
    if experiment.status is Status.DRAFT or experiment.started_at is None:
        raise ExperimentError(f"{experiment.key}: is a draft, so there is nothing to analyze; start it first")
    if until is not None and not experiment.started_at <= until <= now:
        raise ConfigError(f"until is {until}: give a time from the start, {experiment.started_at}, to now")
    if now < experiment.started_at:
        raise ExperimentError(f"{experiment.key}: starts after the time of analysis; put this machine's clock right")
    if planned_units is not None and planned_units < 1:
        raise ConfigError(f"planned_units is {planned_units}: give a number of units, 1 or more")
    gathered = gather(experiment, logs, diversity)
    table = unit_table(gathered, experiment, now, until)
    health = findings(table, experiment, gathered, assigned_here=assigned_here)
    del gathered
    end = _end(experiment, now if until is None else until)
    days = (end - experiment.started_at) / SECONDS_PER_DAY
    tightest_at = float(planned_units or _first_day(table) * experiment.decision.minimum_days)
    found = _Effects((), (), (), {}, {}, {})
    if all(finding.sound for finding in health):
        found = _effects(table, experiment, tightest_at, end)
    conclusion = conclude(
        experiment,
        health,
        found.comparisons,
        days=days,
        days_left=found.days_left,
        days_hoped=found.days_hoped,
        unmeasured=found.unmeasured,
    )
    return Analysis(
        experiment=experiment,
        now=now,
        until=end,
        days=days,
        units=dict(zip(table.arms, map(int, table.counts()), strict=True)),
        exposures=table.exposures,
        forced=table.forced,
        health=health,
        comparisons=found.comparisons,
        over_time=found.over_time,
        segments=found.segments,
        unmeasured=found.unmeasured,
        tightest_at=tightest_at,
        days_left=found.days_left,
        conclusion=conclusion,
    )


@dataclass(frozen=True, slots=True)
class _Effects:
    comparisons: tuple[Comparison, ...]
    over_time: tuple[Look, ...]
    segments: tuple[SegmentEffect, ...]
    unmeasured: Mapping[MetricName, str]
    days_left: Mapping[str, int | None]
    days_hoped: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A declared metric, its role, and the guardrail where it is one."""

    metric: MetricName
    direction: Direction
    role: Role
    guardrail: Guardrail | None = None


def _effects(table: UnitTable, experiment: Experiment, tightest_at: float, until: int) -> _Effects:
    rule = Rule(experiment.decision.looks, 1.0 - experiment.decision.alpha, tightest_at)
    comparisons: list[Comparison] = []
    unmeasured: dict[MetricName, str] = {}
    for asked in _asked(experiment):
        try:
            comparisons += _compared(table, experiment, asked, rule)
        except DataError as error:
            unmeasured[asked.metric] = str(error).removeprefix(f"{asked.metric}: ")
    comparisons = _corrected(comparisons, experiment.decision.alpha)
    primary = experiment.primary.name
    if primary in unmeasured:
        return _Effects(tuple(comparisons), (), (), unmeasured, {}, {})
    any_look = replace(rule, looks=Looks.SEQUENTIAL)
    left = _days_left(table, experiment, comparisons, until)
    return _Effects(
        comparisons=tuple(comparisons),
        over_time=looks(table, experiment, primary, any_look, until),
        segments=_segments(table, experiment, rule),
        unmeasured=unmeasured,
        days_left={name: days for name, (days, _) in left.items()},
        days_hoped={name: days for name, (_, days) in left.items()},
    )


def _asked(experiment: Experiment) -> list[_Asked]:
    primary, *others = experiment.metrics
    return [
        _Asked(primary.name, primary.direction, Role.PRIMARY),
        *(_Asked(one.name, one.direction, Role.SECONDARY) for one in others),
        *(_Asked(one.metric, one.direction, Role.GUARDRAIL, one) for one in experiment.guardrails),
    ]


def _compared(table: UnitTable, experiment: Experiment, asked: _Asked, rule: Rule) -> list[Comparison]:
    arms = arms_of(table, asked.metric)
    control = table.arms.index(experiment.control)
    found = []
    treatments = live_treatments(experiment)
    # As Holm asks of the smallest p-value, so that the power told is not too good.
    alpha = experiment.decision.alpha / (len(treatments) if asked.role is Role.PRIMARY else 1)
    for name, effect in effects(table, experiment, arms, rule).items():
        found.append(
            Comparison(
                metric=asked.metric,
                role=asked.role,
                direction=asked.direction,
                treatment=name,
                control_mean=arms.raw[control],
                treatment_mean=arms.raw[table.arms.index(name)],
                effect=effect,
                p_corrected=effect.p_value,
                better=False,
                worse=False,
                guardrail=None if asked.guardrail is None else _guarded(effect, asked.guardrail),
                posterior=posterior_of(table, experiment, arms, name, rule.level),
                seen=seen_of(table, experiment, arms, name, effect, alpha, asked.direction),
                cap=arms.cap,
                variance_left=arms.adjusted.variance_left,
            )
        )
    return found


def _guarded(effect: Effect, asked: Guardrail) -> GuardrailResult:
    return guardrail(
        effect,
        asked.margin,
        relative=asked.scale is MarginScale.RELATIVE,
        higher_is_better=asked.direction is Direction.INCREASE,
    )


def _corrected(comparisons: Sequence[Comparison], alpha: float) -> list[Comparison]:
    """With Holm's p-values in each role's family, and what is found by them."""
    result = list(comparisons)
    for role, method in ((Role.PRIMARY, "holm"), (Role.SECONDARY, "holm"), (Role.GUARDRAIL, None)):
        places = [place for place, one in enumerate(comparisons) if one.role is role]
        p_values = [comparisons[place].effect.p_value for place in places]
        family = corrected(p_values, "holm") if method else np.asarray(p_values, dtype=np.float64)
        for place, p_value in zip(places, family, strict=True):
            one = comparisons[place]
            sure, rises = bool(p_value <= alpha), one.effect.absolute.value > 0
            wished = rises == (one.direction is Direction.INCREASE)
            result[place] = replace(one, p_corrected=float(p_value), better=sure and wished, worse=sure and not wished)
    return result


_EXPLORING: Correction = "benjamini-hochberg"


def _segments(table: UnitTable, experiment: Experiment, rule: Rule) -> tuple[SegmentEffect, ...]:
    """Of segments that have enough units in each arm, where a column has more than one of any."""
    metric, found = experiment.primary.name, []
    for column, (codes, names) in table.segments.items():
        if len(np.unique(codes)) < 2:
            continue
        for code, value in enumerate(names):
            where = codes == code
            if not enough(table, where, experiment):
                continue
            own = replace(rule, tightest_at=max(rule.tightest_at * float(where.mean()), 1.0))
            try:
                by_treatment = effects(table, experiment, arms_of(table, metric, where=where), own)
            except DataError:
                # Nothing to divide by in this segment.
                continue
            found += [(column, value, name, int(where.sum()), effect) for name, effect in by_treatment.items()]
    p_values = corrected([effect.p_value for *_, effect in found], _EXPLORING)
    return tuple(SegmentEffect(*one, p_corrected=float(p)) for one, p in zip(found, p_values, strict=True))


def _days_left(
    table: UnitTable, experiment: Experiment, comparisons: Sequence[Comparison], until: int
) -> dict[str, tuple[int | None, int | None]]:
    """By treatment, days until an effect as estimated would be found, and until the best one that may well be true."""
    window = min(RATE_DAYS * SECONDS_PER_DAY, max(until - int(table.first.min()), SECONDS_PER_DAY))
    per_day = float(np.count_nonzero(table.first > until - window)) / (window / SECONDS_PER_DAY)
    counts = dict(zip(table.arms, map(int, table.counts()), strict=True))
    left: dict[str, tuple[int | None, int | None]] = {}
    for one in comparisons:
        if one.role is not Role.PRIMARY:
            continue
        have = counts[one.treatment] + counts[experiment.control]
        share = have / len(table)
        wanted = (None, None) if one.seen is None else (one.seen.units, one.seen.hopeful_units)
        estimated, hoped = (_days_until(units, have, per_day * share) for units in wanted)
        left[one.treatment] = estimated, hoped
    return left


def _days_until(units: int | None, have: int, per_day: float) -> int | None:
    if units is None or (units > have and per_day == 0.0):
        return None
    return days_needed(units - have, per_day, whole_weeks=False) if units > have else 0


def _end(experiment: Experiment, horizon: int) -> int:
    return horizon if experiment.stopped_at is None else min(horizon, experiment.stopped_at)


def _first_day(table: UnitTable) -> int:
    return int(np.count_nonzero(table.first < table.first.min() + SECONDS_PER_DAY))

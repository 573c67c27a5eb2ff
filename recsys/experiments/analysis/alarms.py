"""Alarms of a running experiment that may be checked at any time: harm of an arm, and a split that is not as declared.

All alarms of one experiment together have a budget of `FALSE_ALARMS`: without harm and with a sound split, at most this
share of experiments ever raises one, however often they are checked. `SPLIT_SHARE` of it is for the split; the rest is
divided by Bonferroni over arms and metrics (the primary metric and the guardrails). Harm is tested on one side by the
always-valid intervals of the analysis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from recsys.errors import DataError
from recsys.experiments.analysis.analyze import expected_units
from recsys.experiments.analysis.columnar_logs import ListValues, read_logs
from recsys.experiments.analysis.comparisons import Rule, compute_effects, metric_by_arm, weighted_arms
from recsys.experiments.analysis.decision import METRIC_WORDS, effect_words
from recsys.experiments.analysis.declared_look import cut_logs, find_end
from recsys.experiments.analysis.dominant_units import measure_dominance
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.analysis.unit_table import UnitTable, build_unit_table
from recsys.experiments.design.definition import Experiment, Looks
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.stats.sequential_split import split_p_value

FALSE_ALARMS = 0.05
"""Largest share of experiments without harm and with a sound split that ever raise an alarm."""
SPLIT_SHARE = 0.2
"""Share of that budget for the split."""


class AlarmKind(StrEnum):
    """Kind of an alarm."""

    HARM = "harm"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Alarm of an experiment.

    Attributes:
        id: name of the alarm; the same alarm has the same id at every check.
        kind: harm of an arm, or a sample ratio mismatch.
        experiment: key of the experiment.
        title: title of the experiment.
        arm: harmful arm; None for the split.
        metric: harmed metric; None for the split.
        at: time of the check, seconds since 1970 UTC.
        units: units of all arms.
        p_value: always-valid p-value, one-sided for harm.
        words: the alarm in one or two sentences.
    """

    id: str
    kind: AlarmKind
    experiment: str
    title: str
    arm: str | None
    metric: str | None
    at: int
    units: int
    p_value: float
    words: str


def find_alarms(
    experiment: Experiment, logs: Logs, now: int, *, diversity: ListValues | None = None
) -> tuple[Alarm, ...]:
    """Find the alarms of an experiment that was started, at `now` (seconds since 1970 UTC).

    Raises:
        DataError: if the logs cannot be analyzed.
    """
    columns = read_logs(experiment, logs, diversity)
    horizon = now if experiment.stopped_at is None else min(now, experiment.stopped_at)
    end = find_end(columns, experiment, horizon)
    if end is not None:
        columns, horizon = cut_logs(columns, end), end
    table = build_unit_table(columns, experiment, now, horizon)
    return (*_check_split(table, experiment, now), *_check_harm(table, experiment, now))


def _check_split(table: UnitTable, experiment: Experiment, now: int) -> list[Alarm]:
    counts = dict(zip(table.arms, map(int, table.counts()), strict=True))
    shares = {name: share for name, share in experiment.shares.items() if share > 0.0}
    p_value = split_p_value([counts[name] for name in shares], list(shares.values()))
    if p_value > FALSE_ALARMS * SPLIT_SHARE:
        return []
    total = sum(counts[name] for name in shares)
    seen = ", ".join(f"{name} {counts[name]:,} ({total * share:,.0f} expected)" for name, share in shares.items())
    words = (
        f"The units of the arms are not split as declared: {seen}. Effects are not credible; find out which arm loses "
        "units or exposures."
    )
    return [_alarm(AlarmKind.SPLIT, experiment, None, None, now, len(table), p_value, words)]


def _check_harm(table: UnitTable, experiment: Experiment, now: int) -> list[Alarm]:
    metrics = {experiment.primary.name: experiment.primary.direction}
    metrics |= {guard.metric: guard.direction for guard in experiment.guardrails}
    budget = FALSE_ALARMS * (1.0 - SPLIT_SHARE) / (len(metrics) * len(weighted_arms(experiment)))
    # A two-sided interval of level 1 - 2a leaves 0 out on the harmful side with a probability of a.
    planned = experiment.decision.planned_units
    rule = Rule(Looks.SEQUENTIAL, 1.0 - 2.0 * budget, float(planned or expected_units(table, experiment)))
    found = []
    for metric, direction in metrics.items():
        try:
            effects = compute_effects(table, experiment, metric_by_arm(table, metric), rule)
        except DataError:
            # Too few units so far, or a metric that is not logged: the analysis tells.
            continue
        for arm, effect in effects.items():
            harmful = (effect.absolute.value < 0.0) == (direction is Direction.INCREASE)
            if not harmful or effect.absolute.value == 0.0 or effect.p_value > 2.0 * budget:
                continue
            if arm in measure_dominance(table, experiment, metric, rule).depends:
                # Without a few crawlers or one huge order there is no finding; the analysis names them.
                continue
            shown = replace(effect, level=round(effect.level, 4))
            words = (
                f"{METRIC_WORDS[metric].capitalize()} of {arm} is worse than the control's: {effect_words(shown)}. "
                "Stop the experiment if that costs too much: recsys experiment stop."
            )
            found.append(_alarm(AlarmKind.HARM, experiment, arm, metric, now, len(table), effect.p_value / 2.0, words))
    return found


def _alarm(
    kind: AlarmKind,
    experiment: Experiment,
    arm: str | None,
    metric: MetricName | None,
    now: int,
    units: int,
    p_value: float,
    words: str,
) -> Alarm:
    name = "/".join(str(part) for part in (experiment.key, experiment.started_at, kind, metric, arm) if part)
    return Alarm(
        id=name,
        kind=kind,
        experiment=experiment.key,
        title=experiment.title,
        arm=arm,
        metric=None if metric is None else metric.value,
        at=now,
        units=units,
        p_value=p_value,
        words=words,
    )

"""Health checks of the logs, which must hold before any effect in them is credible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from recsys.experiments.analysis.columnar_logs import ColumnarLogs
from recsys.experiments.analysis.comparisons import Rule
from recsys.experiments.analysis.dominant_units import TOP, Dominance, measure_dominance
from recsys.experiments.analysis.unit_table import Tally, UnitTable
from recsys.experiments.design.assignment import Plan
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.fields import format_time
from recsys.experiments.design.lifecycle import config_drift
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.stats.health import THRESHOLD, pre_period_imbalance, sample_ratio
from recsys.experiments.stats.moments import JointMoments, Moments, Values

LARGEST_SHARE = 0.01
"""Largest tolerated share of units in several arms, of lost exposures, and of clocks out of order."""
FEWEST_LOST = 10
"""Fewest rows from which a share is judged."""
FEWEST_STRANGERS = 100
"""Fewest units in each log from which it tells something that the logs have no unit in common."""
FEWEST_QUIET = 300
"""Fewest exposed units from which it tells something that none has an event."""
LARGEST_SPREAD = 1.25
"""Largest tolerated ratio of the jackknife's standard error to that of the delta method."""


_WITHOUT_EVENTS = {MetricName.SATISFACTION, MetricName.STYLE_DIVERSITY}


class Check(StrEnum):
    """Health check of an experiment."""

    DECLARATION = "as declared"
    ARMS = "every arm has units"
    SPLIT = "split as declared"
    ASSIGNMENT = "arms as assigned"
    MULTIPLE = "one arm each"
    BALANCE = "alike before"
    IDS = "one id in both logs"
    EXPOSURES = "no exposure lost"
    CLOCKS = "clocks in order"
    POSITIONS = "positions inside lists"
    DOMINANT = "no unit decides alone"
    ROWS = "rows that do not count"


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check. `words`: the result, with the cure if it is not sound. `p_value`: None without a test."""

    check: Check
    sound: bool
    words: str
    p_value: float | None = None


def check_health(
    table: UnitTable, experiment: Experiment, logs: ColumnarLogs, rule: Rule, end: int, *, assigned_here: bool = True
) -> tuple[Finding, ...]:
    """Run all health checks.

    Args:
        table: units of the experiment.
        experiment: definition of the experiment.
        logs: logs of the experiment.
        rule: rule of comparison, to see if findings depend on single units.
        end: end of the analyzed logs, seconds since 1970 UTC.
        assigned_here: True if this project assigned the arms, so that each unit's arm can be checked.
    """
    exposures, events = logs.files
    drift = config_drift(experiment)
    declaration = Finding(
        Check.DECLARATION,
        drift is None,
        "The file is unchanged since the experiment started."
        if drift is None
        else f"The file differs from its history: {drift}.",
    )
    found = [
        declaration,
        _check_arms(table, experiment),
        _check_split(table, experiment),
        *([_check_assignment(table, experiment)] if assigned_here else []),
        _check_multiple(table, exposures),
        _check_balance(table, experiment),
        _check_ids(table, experiment, logs, end),
        _check_lost(table, events),
        _check_clocks(table, exposures, events),
        _check_positions(table, events),
        _check_dominant(table, experiment, rule),
        _check_rows(table),
    ]
    return tuple(found)


def _check_arms(table: UnitTable, experiment: Experiment) -> Finding:
    counts = dict(zip(table.arms, map(int, table.counts()), strict=True))
    empty = [name for name, arm in experiment.arms.items() if arm.weight > 0 and counts[name] == 0]
    if not empty:
        return Finding(Check.ARMS, True, f"{len(table):,} units in {sum(n > 0 for n in counts.values())} arms.")
    return Finding(
        Check.ARMS,
        False,
        f"No unit in {_list_arms(empty)}: check that it is served, and that its exposures are logged.",
    )


def _check_split(table: UnitTable, experiment: Experiment) -> Finding:
    ratio = sample_ratio(table.counts().tolist(), [experiment.shares[name] for name in table.arms])
    counts = ", ".join(f"{name} {count:,}" for name, count in zip(table.arms, table.counts(), strict=True))
    expected = ", ".join(f"{name} {n:,.0f}" for name, n in zip(table.arms, ratio.expected, strict=False))
    units = f"Units: {counts}"
    if not ratio.mismatch:
        return Finding(Check.SPLIT, True, f"{units}; consistent with the declared split.", ratio.p_value)
    if ratio.strays:
        names = _list_arms([table.arms[code] for code in ratio.strays])
        return Finding(Check.SPLIT, False, f"{units}; {names} has weight 0: find out why it is served.", ratio.p_value)
    live = [name for name in table.arms if experiment.arms[name].weight > 0]
    expected = ", ".join(f"{name} {n:,.0f}" for name, n in zip(live, ratio.expected, strict=True))
    cure = "look for losses in one arm: failing requests, exposures logged for one arm only, bots that one arm attracts"
    return Finding(
        Check.SPLIT, False, f"{units}, but {expected} expected (sample ratio mismatch); {cure}.", ratio.p_value
    )


def _check_assignment(table: UnitTable, experiment: Experiment) -> Finding:
    codes = Plan.from_experiment(experiment).assign_many(table.ids.to_pylist())
    wrong = int(np.count_nonzero(codes != table.arm))
    share = wrong / len(table)
    if share <= LARGEST_SHARE:
        return Finding(
            Check.ASSIGNMENT,
            True,
            f"{len(table) - wrong:,} of {len(table):,} units are in the arm that the file assigns.",
        )
    return Finding(
        Check.ASSIGNMENT,
        False,
        f"{wrong:,} of {len(table):,} units ({share:.1%}) are not in the arm that the file assigns: the split was "
        "changed while the experiment ran, or another system assigned the arms (then pass assigned_here=False or "
        "--assigned-elsewhere).",
    )


def _check_multiple(table: UnitTable, file: Path) -> Finding:
    multiple = table.defects.multiple
    if not multiple.found:
        return Finding(Check.MULTIPLE, True, "No unit is in several arms.")
    text = _describe(multiple, "units", "are in several arms", file)
    if multiple.share <= LARGEST_SHARE:
        return Finding(Check.MULTIPLE, True, f"{text}; they are left out.")
    return Finding(Check.MULTIPLE, False, f"{text}: check if the split was changed, or if users share an account.")


def _check_balance(table: UnitTable, experiment: Experiment) -> Finding:
    """Test the pre-period of every declared metric, and the share of known units, by Welch's test with Bonferroni."""
    columns: dict[str, Values] = {"units with a past": table.known.astype(np.float64)}
    for name in declared_metrics(experiment):
        measured = table.metrics.get(name)
        if measured is not None and measured.before is not None:
            columns[f"{name} before"] = measured.before[:, 0]
    arms = [table.arm == code for code in range(len(table.arms))]
    tests = {
        name: pre_period_imbalance([Moments.from_values(column[own]) for own in arms]).p_value
        for name, column in columns.items()
    }
    worst = min(tests, key=lambda name: tests[name])
    p_value = min(tests[worst] * len(tests), 1.0)
    if not table.known.any():
        return Finding(Check.BALANCE, True, "There is no data from before the first exposures, so this was not tested.")
    if p_value >= THRESHOLD:
        return Finding(
            Check.BALANCE, True, "Before their first exposure, units of all arms behaved about the same.", p_value
        )
    return Finding(
        Check.BALANCE,
        False,
        f"Before their first exposure, units of the arms differed already ({worst}): assignment or logging depends on "
        "the users. Correct that, and start again with a new key.",
        p_value,
    )


def _check_ids(table: UnitTable, experiment: Experiment, logs: ColumnarLogs, end: int) -> Finding:
    """Compare the ids of units in both logs: events under other ids are those of nobody, and metrics would be 0."""
    if set(declared_metrics(experiment)) <= _WITHOUT_EVENTS:
        return Finding(Check.IDS, True, "No declared metric needs events, so this was not tested.")
    exposures, events = logs.exposures, logs.events
    shown = np.zeros(len(logs.units), dtype=np.bool_)
    shown[exposures.unit] = True
    during = (events.timestamp >= int(table.first.min())) & (events.timestamp <= end)
    own = int(np.count_nonzero(during & shown[events.unit]))
    strange = np.flatnonzero(during & ~shown[events.unit])
    cure = "write the id of a unit alike in both logs"
    if not own:
        strangers = len(np.unique(events.unit[strange]))
        if min(len(table), strangers) >= FEWEST_STRANGERS:
            pair = _example(logs, int(strange[0]), int(exposures.unit[0]))
            words = f"None of {len(strange):,} events since the first exposure is of an exposed unit; {pair}: {cure}."
            return Finding(Check.IDS, False, words)
        if len(table) >= FEWEST_QUIET:
            words = f"{len(table):,} units have no event since the first exposure: check that events are logged."
            return Finding(Check.IDS, False, words)
        return Finding(Check.IDS, True, "No event since the first exposure yet, so this was not tested.")
    asked = strange[events.answers[strange]]
    rows = np.flatnonzero(np.isin(exposures.request, events.request[asked]))
    if len(rows):
        rows = rows[np.argsort(exposures.request[rows])]
        requests, first = np.unique(exposures.request[rows], return_index=True)
        # A request id that several units share, as a counter does, says nothing about its unit.
        least = np.minimum.reduceat(exposures.unit[rows], first)
        one = least == np.maximum.reduceat(exposures.unit[rows], first)
        place = np.minimum(np.searchsorted(requests, events.request[asked]), len(requests) - 1)
        hit = (requests[place] == events.request[asked]) & one[place]
        found, of = int(hit.sum()), int(hit.sum() + table.defects.answering.sum())
        if found >= FEWEST_LOST and found > LARGEST_SHARE * of:
            pair = _example(logs, int(asked[hit][0]), int(least[place[hit][0]]))
            words = f"{found:,} of {of:,} events ({found / of:.2%}) answer a list of another unit; {pair}: {cure}."
            return Finding(Check.IDS, False, words)
    return Finding(Check.IDS, True, f"{own:,} events since the first exposure are of exposed units.")


def _example(logs: ColumnarLogs, event: int, unit: int) -> str:
    """Return the unit of an event and one of the exposures, with the place of the event."""
    ids = logs.units
    return (
        f"{logs.files[1]}, row {int(logs.events.row[event])}, names unit "
        f"{ids[int(logs.events.unit[event])].as_py()!r:.60}, and exposures name {ids[unit].as_py()!r:.60}"
    )


def _check_lost(table: UnitTable, file: Path) -> Finding:
    rows = table.defects.lost_rows
    if not rows.of:
        return Finding(Check.EXPOSURES, True, "No event names the request that it answers, so this was not tested.")
    text = (
        f"{rows.found:,} of {rows.of:,} events ({rows.share:.2%}) answer a request that is not in the log of exposures"
    )
    by_arm = []
    for code in range(len(table.arms)):
        own = table.arm == code
        joint = JointMoments.from_columns(table.defects.lost[own], table.defects.answering[own])
        if joint.n and joint.means[1] > 0:
            by_arm.append(joint.ratio().marginal())
    # Lost events per answering event, compared between arms.
    test = pre_period_imbalance(by_arm)
    where = f", first in {file}, row {rows.first_row}"
    if rows.share > LARGEST_SHARE and rows.found >= FEWEST_LOST:
        return Finding(
            Check.EXPOSURES, False, f"{text}{where}: exposures were lost; find the cause first.", test.p_value
        )
    if test.imbalanced and rows.found >= FEWEST_LOST:
        return Finding(
            Check.EXPOSURES,
            False,
            f"{text}{where}, and arms differ in that: one arm loses exposures; find the cause.",
            test.p_value,
        )
    return Finding(Check.EXPOSURES, True, f"{text}.", test.p_value)


def _check_clocks(table: UnitTable, exposures: Path, events: Path) -> Finding:
    defects = table.defects
    texts = [
        _describe(defects.outside, "exposures", "are before the start or after the end", exposures),
        _describe(defects.early, "events", "are before the exposure that they answer", events),
        _describe(defects.late, "events", "are after this analysis", events),
    ]
    words = "; ".join(text for text in texts if text)
    if not words:
        return Finding(Check.CLOCKS, True, "Exposures are within the run, and events after the lists they answer.")
    if max(defects.outside.share, defects.early.share, defects.late.share) <= LARGEST_SHARE:
        return Finding(Check.CLOCKS, True, f"{words}: few enough.")
    return Finding(Check.CLOCKS, False, f"{words}: set the clocks; times without a time zone are read as UTC.")


def _check_positions(table: UnitTable, file: Path) -> Finding:
    beyond = table.defects.beyond
    text = _describe(beyond, "events", "name a position beyond the end of the list", file)
    if not text:
        return Finding(Check.POSITIONS, True, "Events name positions inside the lists that they answer.")
    if beyond.share <= LARGEST_SHARE:
        return Finding(Check.POSITIONS, True, f"{text}: few enough.")
    return Finding(Check.POSITIONS, False, f"{text}: count positions from 1, within one list.")


def _check_dominant(table: UnitTable, experiment: Experiment, rule: Rule) -> Finding:
    names = [name for name in declared_metrics(experiment) if name in table.metrics]
    deciding = {experiment.primary.name, *(one.metric for one in experiment.guardrails)}
    found = [measure_dominance(table, experiment, name, rule) for name in names]
    texts, sound = [], True
    for one in found:
        wide = one.spread > LARGEST_SPREAD
        if one.units:
            texts.append(_describe_far(one))
        if one.depends:
            texts.append(
                f"{one.metric}: the finding for {_list_arms(one.depends)} is lost without the {one.largest:,} largest "
                f"units, of which one has {one.share:.1%} of {one.arm}: look for crawlers, test accounts and resellers "
                "among them and leave their rows out of both logs, or wait for more units"
            )
        if wide:
            texts.append(
                f"{one.metric}: the jackknife's standard error is {one.spread:.2f} times that of the delta method, so "
                "intervals would be too narrow: wait for more units"
            )
        if one.metric in deciding and (one.depends or wide):
            sound = False
    if texts:
        return Finding(Check.DOMINANT, sound, ". ".join(text[0].upper() + text[1:] for text in texts) + ".")
    if not found:
        return Finding(Check.DOMINANT, True, "No declared metric is in the logs, so this was not tested.")
    most = max(found, key=lambda one: one.share)
    return Finding(
        Check.DOMINANT,
        True,
        f"No unit is far above all others. The largest holds {most.share:.1%} of {most.metric} in {most.arm}, the "
        f"{TOP} largest {most.top_share:.1%}.",
    )


def _check_rows(table: UnitTable) -> Finding:
    """Count the rows that were dropped or changed; only more refunds than purchases are not sound."""
    defects = table.defects
    repeats = defects.repeats
    counts = (
        (defects.repeated.found, "exposures are logged twice and count once"),
        (repeats.events, "events are logged twice and count once"),
        (repeats.ratings, "ratings are logged twice and count once"),
        (repeats.differ, "events share an id with another one of their unit and differ from it: all count"),
        (defects.multiple.found, "units in several arms do not count"),
        (table.forced, "forced units do not count"),
        (defects.outside.found, "exposures before the start or after the end do not count"),
        (defects.early.found, "events before the exposure that they answer do not count as its answers"),
        (defects.past, "events before the first exposure of their unit count as its past only"),
        (defects.ended + defects.late.found, "events after the end do not count"),
        (repeats.empty_refunds, "refunds have no amount and no earlier purchase: they take back nothing"),
        (defects.beyond_zero, "units were refunded more than they paid: their revenue counts as 0"),
    )
    texts = [f"{count:,} {words}" for count, words in counts if count]
    if defects.refunds:
        texts.append(
            f"{defects.refunds:,} refunds take back {defects.refunded:,.2f}; who bought still counts as a buyer"
        )
    revenue = table.metrics.get(MetricName.REVENUE_PER_USER)
    if revenue is not None and defects.refunds >= FEWEST_LOST:
        bought = len(revenue.numerator.unit) - defects.refunds
        if defects.refunds > bought:
            cure = "if amounts of purchases are logged below 0, turn their sign; else add the purchases"
            words = f"{defects.refunds:,} refunds, and only {bought:,} purchases: {cure}"
            return Finding(Check.ROWS, False, f"{words}. {'; '.join(texts)}.")
    if not texts:
        return Finding(Check.ROWS, True, "Each row counts once; none was dropped or changed.")
    return Finding(Check.ROWS, True, "; ".join(texts) + ".")


def _describe_far(one: Dominance) -> str:
    text = (
        f"{one.metric}: {one.units:,} {'units are' if one.units > 1 else 'unit is'} far above all others; the largest "
        f"has {one.share:.1%} of {one.arm}, first exposed at {format_time(one.first or 0)}"
    )
    if one.metric is MetricName.REVENUE_PER_USER:
        return f"{text}. The cap cuts the amount"
    return f"{text}. This metric leaves out units with so many rows, as of crawlers, or cuts what they add"


def declared_metrics(experiment: Experiment) -> tuple[MetricName, ...]:
    """Return all metrics of an experiment: the primary, the secondary ones, the guardrails."""
    return (*(metric.name for metric in experiment.metrics), *(one.metric for one in experiment.guardrails))


def _describe(tally: Tally, rows: str, what: str, file: Path) -> str:
    if not tally.found:
        return ""
    return f"{tally.found:,} of {tally.of:,} {rows} ({tally.share:.2%}) {what}, first {file}, row {tally.first_row}"


def _list_arms(names: Sequence[str]) -> str:
    return ", ".join(f"arm {name!r}" for name in names)

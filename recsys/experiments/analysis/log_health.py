"""Health first: what must hold of the logs before any effect in them is to be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from recsys.experiments.analysis.columnar_logs import ColumnarLogs
from recsys.experiments.analysis.unit_table import Tally, UnitTable
from recsys.experiments.design.assignment import Plan
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.lifecycle import config_drift
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.stats.health import THRESHOLD, pre_period_imbalance, sample_ratio
from recsys.experiments.stats.moments import JointMoments, Moments, Values

LARGEST_SHARE = 0.01
"""Of units in several arms, of lost exposures and of clocks out of order: a few are no matter, more are a defect."""
FEWEST_LOST = 10
"""Rows below which a share says nothing."""


class Check(StrEnum):
    """What is checked."""

    DECLARATION = "as declared"
    ARMS = "every arm has units"
    SPLIT = "split as declared"
    ASSIGNMENT = "arms as assigned"
    CROSSED = "one arm each"
    BALANCE = "alike before"
    EXPOSURES = "no exposure lost"
    CLOCKS = "clocks in order"
    POSITIONS = "positions inside lists"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `words`: what was found, and if it is not sound, what to do. `p_value` where there is a test."""

    check: Check
    sound: bool
    words: str
    p_value: float | None = None


def findings(
    table: UnitTable, experiment: Experiment, gathered: ColumnarLogs, *, assigned_here: bool = True
) -> tuple[Finding, ...]:
    """All checks. `assigned_here`: arms come from this project's assignment, so that each unit's can be checked."""
    exposures, events = gathered.files
    found = [
        _declaration(experiment),
        _arms(table, experiment),
        _split(table, experiment),
        *([_assignment(table, experiment)] if assigned_here else []),
        _crossed(table, exposures),
        _balance(table, experiment),
        _lost(table, events),
        _clocks(table, exposures, events),
        _positions(table, events),
    ]
    return tuple(found)


def _declaration(experiment: Experiment) -> Finding:
    problem = config_drift(experiment)
    if problem is None:
        return Finding(Check.DECLARATION, True, "The file is as it was when the experiment started.")
    return Finding(Check.DECLARATION, False, f"The file is not what its history says: {problem}.")


def _arms(table: UnitTable, experiment: Experiment) -> Finding:
    counts = dict(zip(table.arms, map(int, table.counts()), strict=True))
    empty = [name for name, arm in experiment.arms.items() if arm.weight > 0 and counts[name] == 0]
    if not empty:
        return Finding(Check.ARMS, True, f"{len(table):,} units in {sum(n > 0 for n in counts.values())} arms.")
    return Finding(
        Check.ARMS,
        False,
        f"No unit in {_named(empty)}: see whether it is served at all, and whether exposures of it are logged.",
    )


def _split(table: UnitTable, experiment: Experiment) -> Finding:
    ratio = sample_ratio(table.counts().tolist(), [experiment.shares[name] for name in table.arms])
    counts = ", ".join(f"{name} {count:,}" for name, count in zip(table.arms, table.counts(), strict=True))
    expected = ", ".join(f"{name} {n:,.0f}" for name, n in zip(table.arms, ratio.expected, strict=False))
    told = f"Units: {counts}"
    if not ratio.mismatch:
        return Finding(Check.SPLIT, True, f"{told}; the declared split may well give that.", ratio.p_value)
    if ratio.strays:
        names = _named([table.arms[code] for code in ratio.strays])
        return Finding(Check.SPLIT, False, f"{told}; {names} has weight 0: who served it?", ratio.p_value)
    live = [name for name in table.arms if experiment.arms[name].weight > 0]
    expected = ", ".join(f"{name} {n:,.0f}" for name, n in zip(live, ratio.expected, strict=True))
    cure = "look for what one arm loses: failing requests, exposures logged for one arm only, bots that one arm draws"
    return Finding(
        Check.SPLIT, False, f"{told}, where {expected} were due (sample ratio mismatch); {cure}.", ratio.p_value
    )


def _assignment(table: UnitTable, experiment: Experiment) -> Finding:
    codes = Plan.of(experiment).assign_many(table.ids.to_pylist())
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
        "changed in mid-run, or somebody else assigned the arms (then say so, and this is not checked).",
    )


def _crossed(table: UnitTable, file: Path) -> Finding:
    crossed = table.defects.crossed
    if not crossed.found:
        return Finding(Check.CROSSED, True, "No unit is in several arms.")
    told = _told(crossed, "units", "are in several arms", file)
    if crossed.share <= LARGEST_SHARE:
        return Finding(Check.CROSSED, True, f"{told}; they are left out.")
    return Finding(Check.CROSSED, False, f"{told}: was the split changed, or do people share an account?")


def _balance(table: UnitTable, experiment: Experiment) -> Finding:
    """Welch's test of every declared metric's past, and of the share of known units; Bonferroni over them."""
    columns: dict[str, Values] = {"units that were there before": table.known.astype(np.float64)}
    for name in declared_metrics(experiment):
        measured = table.metrics.get(name)
        if measured is not None and measured.before is not None:
            columns[f"{name} before"] = measured.before[:, 0]
    tests = {name: pre_period_imbalance(_by_arm(table, column)).p_value for name, column in columns.items()}
    worst = min(tests, key=lambda name: tests[name])
    p_value = min(tests[worst] * len(tests), 1.0)
    if not table.known.any():
        return Finding(
            Check.BALANCE, True, "Nothing is known of the time before the first exposures, so it was not tested."
        )
    if p_value >= THRESHOLD:
        return Finding(
            Check.BALANCE, True, "Before their first exposure, units of all arms did about the same.", p_value
        )
    return Finding(
        Check.BALANCE,
        False,
        f"Before their first exposure, units of the arms differed already ({worst}): who is assigned, or logged, "
        "depends on who they are. Start again with a new key, once that is put right.",
        p_value,
    )


def _lost(table: UnitTable, file: Path) -> Finding:
    rows = table.defects.lost_rows
    if not rows.of:
        return Finding(Check.EXPOSURES, True, "No event names the request that it answers, so it was not tested.")
    told = (
        f"{rows.found:,} of {rows.of:,} events ({rows.share:.2%}) answer a request that is not in the log of exposures"
    )
    ratios = [_lost_ratio(table, code) for code in range(len(table.arms))]
    test = pre_period_imbalance([moments for moments in ratios if moments is not None])
    where = f", first in {file}, row {rows.first_row}"
    if rows.share > LARGEST_SHARE and rows.found >= FEWEST_LOST:
        return Finding(
            Check.EXPOSURES, False, f"{told}{where}: exposures were lost; see why before you go on.", test.p_value
        )
    if test.imbalanced and rows.found >= FEWEST_LOST:
        return Finding(
            Check.EXPOSURES,
            False,
            f"{told}{where}, and arms differ in that: one arm loses exposures; see why.",
            test.p_value,
        )
    return Finding(Check.EXPOSURES, True, f"{told}.", test.p_value)


def _lost_ratio(table: UnitTable, code: int) -> Moments | None:
    own = table.arm == code
    joint = JointMoments.of(table.defects.lost[own], table.defects.answering[own])
    return joint.ratio().marginal() if joint.n and joint.means[1] > 0 else None


def _clocks(table: UnitTable, exposures: Path, events: Path) -> Finding:
    defects = table.defects
    told = [
        _told(defects.outside, "exposures", "lie before the start or after the end", exposures),
        _told(defects.early, "events", "lie before the exposure that they answer", events),
        _told(defects.late, "events", "lie after this analysis", events),
    ]
    words = "; ".join(text for text in told if text)
    if not words:
        return Finding(Check.CLOCKS, True, "Exposures lie within the run, and events after what they answer.")
    if max(defects.outside.share, defects.early.share, defects.late.share) <= LARGEST_SHARE:
        return Finding(Check.CLOCKS, True, f"{words}: few enough.")
    return Finding(Check.CLOCKS, False, f"{words}: put the clocks right, and give times in seconds since 1970 UTC.")


def _positions(table: UnitTable, file: Path) -> Finding:
    beyond = table.defects.beyond
    told = _told(beyond, "events", "name a position beyond the end of the list", file)
    if not told:
        repeated = table.defects.repeated.found
        return Finding(
            Check.POSITIONS,
            True,
            "Events name positions inside the lists that they answer."
            + (f" {repeated:,} exposures are there twice, and count once." if repeated else ""),
        )
    if beyond.share <= LARGEST_SHARE:
        return Finding(Check.POSITIONS, True, f"{told}: few enough.")
    return Finding(Check.POSITIONS, False, f"{told}: positions count from 1, within one answer.")


def declared_metrics(experiment: Experiment) -> tuple[MetricName, ...]:
    """All that an experiment measures: the primary, the secondary ones, the guardrails."""
    return (*(metric.name for metric in experiment.metrics), *(one.metric for one in experiment.guardrails))


def _told(tally: Tally, rows: str, what: str, file: Path) -> str:
    if not tally.found:
        return ""
    return f"{tally.found:,} of {tally.of:,} {rows} ({tally.share:.2%}) {what}, first {file}, row {tally.first_row}"


def _by_arm(table: UnitTable, column: Values) -> list[Moments]:
    return [Moments.of(column[table.arm == code]) for code in range(len(table.arms))]


def _named(names: Sequence[str]) -> str:
    return ", ".join(f"arm {name!r}" for name in names)

"""Declared look of an experiment: when it is, if it is reached, and logs cut at its end."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.clock import SECONDS_PER_DAY
from recsys.experiments.analysis.columnar_logs import ColumnarLogs, select_rows
from recsys.experiments.design.definition import Experiment, Looks, Status
from recsys.experiments.design.fields import format_time
from recsys.schema import IntArray

RATE_DAYS = 7
"""Days over which the rate of new units is measured."""


@dataclass(frozen=True, slots=True)
class DeclaredLook:
    """Declared look, and how far the experiment is on its way there.

    Attributes:
        looks: monitoring that the analysis uses.
        alpha: two-sided type I error rate.
        power: planned power.
        end_at: declared date, seconds since 1970 UTC; None if none is declared.
        planned_units: declared number of units of all arms; None if none is declared.
        minimal_effect: smallest change that matters, as a share of the control's mean; None if none is declared.
        reached: True if the declared end is reached, so that the result does not change any more.
        at: time of the declared end once it is reached, seconds since 1970 UTC, else None.
        expected_at: time at which it will be reached at the present rate of new units; None if never.
        progress: share of the way to the end, in [0, 1].
        words: the look in one or two sentences.
    """

    looks: Looks
    alpha: float
    power: float
    end_at: int | None
    planned_units: int | None
    minimal_effect: float | None
    reached: bool
    at: int | None
    expected_at: int | None
    progress: float
    words: str

    @property
    def waits(self) -> bool:
        """True if the only look is not reached, so that no number may decide."""
        return self.looks is Looks.FIXED and not self.reached


def find_end(logs: ColumnarLogs, experiment: Experiment, horizon: int) -> int | None:
    """Find the time of the declared end, in seconds since 1970 UTC; None if it is not reached by `horizon`.

    The number of units counts all units exposed by chance, by their first exposure, so that later rows cannot move
    the end. It is reached at the last needed exposure, but not before `minimum_days`.
    """
    decision, start = experiment.decision, experiment.started_at or 0
    ends = [] if decision.end_at is None else [decision.end_at]
    if decision.monitoring is Looks.FIXED and decision.planned_units is not None:
        first = first_exposures(logs, experiment, horizon)
        if len(first) >= decision.planned_units:
            last = int(np.partition(first, decision.planned_units - 1)[decision.planned_units - 1])
            ends.append(max(last, start + decision.minimum_days * SECONDS_PER_DAY))
    return min((end for end in ends if end <= horizon), default=None)


def first_exposures(logs: ColumnarLogs, experiment: Experiment, horizon: int) -> IntArray:
    """Return the first exposure (n,) of each unit with an arm by chance, from the start to `horizon`."""
    forced = pc.is_in(logs.units, pa.array(list(experiment.forced), pa.string())).to_numpy(zero_copy_only=False)
    time, unit = logs.exposures.timestamp, logs.exposures.unit
    counted = ~forced[unit] & (time >= (experiment.started_at or 0)) & (time <= horizon)
    never = np.iinfo(np.int64).max
    first = np.full(len(logs.units), never)
    np.minimum.at(first, unit[counted], time[counted])
    return first[first < never]


def cut_logs(logs: ColumnarLogs, end: int) -> ColumnarLogs:
    """Return the logs without rows after `end` (seconds since 1970 UTC)."""
    return replace(
        logs,
        exposures=select_rows(logs.exposures, logs.exposures.timestamp <= end),
        events=select_rows(logs.events, logs.events.timestamp <= end),
        feedback=None if logs.feedback is None else select_rows(logs.feedback, logs.feedback.timestamp <= end),
    )


def describe_look(experiment: Experiment, first: IntArray, end: int | None, now: int) -> DeclaredLook:
    """Describe the declared look.

    Args:
        experiment: definition of the experiment.
        first: first exposures (n,) of the units so far.
        end: time of the declared end if it is reached, else None.
        now: end of the logs, seconds since 1970 UTC.
    """
    decision, start = experiment.decision, experiment.started_at or 0
    fixed = decision.monitoring is Looks.FIXED
    parts, words, expected = [], [], []
    if decision.end_at is not None:
        parts.append((now - start) / max(decision.end_at - start, 1))
        expected.append(decision.end_at)
        words.append(f"on {format_time(decision.end_at)}, in {(decision.end_at - now) / SECONDS_PER_DAY:.1f} days")
    if fixed and decision.planned_units is not None:
        parts.append(len(first) / decision.planned_units)
        per_day = units_per_day(first, now)
        missing = max(decision.planned_units - len(first), 0)
        text = f"at {decision.planned_units:,} units ({len(first):,} so far"
        if per_day > 0.0 or not missing:
            left = missing / per_day * SECONDS_PER_DAY if missing else 0.0
            expected.append(max(int(now + left), start + decision.minimum_days * SECONDS_PER_DAY))
            text += f", at the present rate about {format_time(expected[-1])[:10]}"
        else:
            text += f", and no new ones in {RATE_DAYS} days"
        words.append(f"{text}), after {decision.minimum_days} days or more")
    return DeclaredLook(
        looks=decision.monitoring,
        alpha=decision.alpha,
        power=decision.power,
        end_at=decision.end_at,
        planned_units=decision.planned_units,
        minimal_effect=decision.minimal_effect,
        reached=end is not None,
        at=end,
        expected_at=end if end is not None else min(expected, default=None),
        progress=1.0 if end is not None else min(max(parts, default=0.0), 1.0),
        words=_words(experiment, " or ".join(words), end),
    )


def units_per_day(first: IntArray, now: int) -> float:
    """Return the number of new units per day in the last `RATE_DAYS` days before `now`, or since the first unit."""
    if not len(first):
        return 0.0
    window = min(RATE_DAYS * SECONDS_PER_DAY, max(now - int(first.min()), SECONDS_PER_DAY))
    return float(np.count_nonzero(first > now - window)) / (window / SECONDS_PER_DAY)


def _words(experiment: Experiment, when: str, end: int | None) -> str:
    decision = experiment.decision
    if end is not None:
        rest = "" if experiment.status is Status.STOPPED else " Stop it with `recsys experiment stop`."
        return f"The declared end was {format_time(end)}. Nothing after it counts, and the result stays as it is.{rest}"
    if decision.monitoring is Looks.FIXED:
        first = ", whichever comes first" if decision.end_at is not None and decision.planned_units is not None else ""
        return f"The only look is {when}{first}. Before it there is no decision, whatever the numbers."
    if decision.looks is Looks.FIXED:
        return (
            "The file says looks = 'fixed' and names no end, so that nobody can know when the look is. Results are "
            "analyzed as if they were read on any day. Declare end_at or planned_units in the next experiment."
        )
    return "Results may be read on any day." + (f" The last look is {when}." if when else "")

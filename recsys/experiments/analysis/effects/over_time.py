"""Effect at the end of each day of the shop's time zone, with intervals that hold on all days together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, tzinfo

import numpy as np

from recsys.errors import DataError
from recsys.experiments.analysis.comparisons import Rule, compute_effects, declared_progress, moments_by_arm
from recsys.experiments.analysis.unit_table import Rows, UnitTable
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.stats.effect import Effect
from recsys.experiments.stats.moments import Values
from recsys.schema import IntArray

MOST_LOOKS = 60


@dataclass(frozen=True, slots=True)
class Look:
    """Effect of each arm at the time `at` (seconds since 1970 UTC), of the `units` exposed by then."""

    at: int
    units: int
    effects: Mapping[str, Effect]


def compute_looks(
    table: UnitTable, experiment: Experiment, metric: MetricName, rule: Rule, until: int
) -> tuple[Look, ...]:
    """Compute one look at the end of each day, the last one at `until`; long experiments have `MOST_LOOKS` at most.

    Days on which an arm had too few units are left out.
    """
    edges = day_ends(int(table.first.min()), until, experiment.decision.zone)
    measured = table.metrics[metric]
    numerators = _running_sums(measured.numerator, len(table), edges)
    denominators = None if measured.denominator is None else _running_sums(measured.denominator, len(table), edges)
    found = []
    for edge, numerator in zip(edges, numerators, strict=True):
        denominator = None if denominators is None else next(denominators)
        exposed = table.first <= edge
        try:
            arms = moments_by_arm(table, metric, exposed, numerator, denominator)
            units = int(exposed.sum())
            then = replace(rule, progress=declared_progress(experiment, int(edge), units))
            found.append(Look(int(edge), units, compute_effects(table, experiment, arms, then)))
        except DataError:
            # Nothing to compare yet on this day.
            continue
    return tuple(found)


def day_ends(start: int, until: int, zone: tzinfo) -> IntArray:
    """Return the last seconds of the days of a time zone after `start`, and `until`; at most `MOST_LOOKS` of them.

    A day lasts from midnight to midnight there, so that it has 23 or 25 hours if the clock changes.
    """
    first, last = (datetime.fromtimestamp(at, zone).date() for at in (start, until))
    days = (last - first).days
    # At even distances if there are many: each `step`-th day.
    step = max(-(-(days + 1) // MOST_LOOKS), 1)
    midnights = (datetime.combine(first + timedelta(days=day), time(), zone) for day in range(step, days + 1, step))
    ends = [int(midnight.timestamp()) - 1 for midnight in midnights]
    return np.array([*(end for end in ends if start < end < until), until], dtype=np.int64)


def _running_sums(rows: Rows, units: int, edges: IntArray) -> Iterator[Values]:
    """Yield the sums (n,) of each unit up to each edge."""
    # One pass over the rows in order of time: each edge adds only the rows since the one before.
    order = np.argsort(rows.timestamp, kind="stable")
    unit, value = rows.unit[order], rows.value[order]
    ends = np.searchsorted(rows.timestamp[order], edges, side="right")
    sums, start = np.zeros(units), 0
    for end in ends:
        sums = sums + np.bincount(unit[start:end], value[start:end], minlength=units)
        start = end
        yield sums

"""The effect as it was on each day, with intervals that hold on all days together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import DataError
from recsys.experiments.analysis.comparisons import Rule, effects, moments_by_arm
from recsys.experiments.analysis.unit_table import Rows, UnitTable
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.stats.effect import Effect
from recsys.experiments.stats.moments import Values
from recsys.schema import IntArray

MOST_LOOKS = 60


@dataclass(frozen=True, slots=True)
class Look:
    """The effect of each treatment by the second `at`, of the `units` that had come in by then."""

    at: int
    units: int
    effects: Mapping[str, Effect]


def looks(table: UnitTable, experiment: Experiment, metric: MetricName, rule: Rule, until: int) -> tuple[Look, ...]:
    """One look a day (of long experiments `MOST_LOOKS` at even distances), the last one at `until`.

    Days on which an arm had too few units yet are left out.
    """
    edges = _edges(int(table.first.min()), until)
    measured = table.metrics[metric]
    numerators = _running(measured.numerator, len(table), edges)
    denominators = None if measured.denominator is None else _running(measured.denominator, len(table), edges)
    found = []
    for edge, numerator in zip(edges, numerators, strict=True):
        denominator = None if denominators is None else next(denominators)
        kept = table.first <= edge
        try:
            arms = moments_by_arm(table, metric, kept, numerator, denominator)
            found.append(Look(int(edge), int(kept.sum()), effects(table, experiment, arms, rule)))
        except DataError:
            # Nothing to compare yet on this day.
            continue
    return tuple(found)


def _edges(start: int, until: int) -> IntArray:
    days = max(-(-(until - start) // SECONDS_PER_DAY), 1)
    every = -(-days // MOST_LOOKS)
    ends = start + SECONDS_PER_DAY * np.arange(every, days + every, every, dtype=np.int64)
    ends[-1] = until
    return ends


def _running(rows: Rows, units: int, edges: IntArray) -> Iterator[Values]:
    """The sums (n,) of each unit up to each edge."""
    order = np.argsort(rows.timestamp, kind="stable")
    unit, value = rows.unit[order], rows.value[order]
    ends = np.searchsorted(rows.timestamp[order], edges, side="right")
    sums, start = np.zeros(units), 0
    for end in ends:
        sums = sums + np.bincount(unit[start:end], value[start:end], minlength=units)
        start = end
        yield sums

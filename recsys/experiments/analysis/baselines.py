"""Baselines of a plan from the shop's own logs: what an experiment on these days would have measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import DataError
from recsys.experiments.analysis.columnar_logs import ListValues, read_logs
from recsys.experiments.analysis.comparisons import metric_by_arm
from recsys.experiments.analysis.declared_look import units_per_day
from recsys.experiments.analysis.log_sources import Chunk, Logs, Source
from recsys.experiments.analysis.planning import BaselineByDay, Traffic
from recsys.experiments.analysis.unit_table import BEFORE_DAYS, UnitTable, build_unit_table
from recsys.experiments.design.definition import Experiment, Status, UnitKind
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.stats.power import Baseline

_KEY, _ARM = "planned", "all"


@dataclass(frozen=True, slots=True)
class Measured:
    """Baselines and traffic of past days.

    Attributes:
        baselines: baseline by metric and day.
        unmeasured: reason by metric that the logs do not contain.
        traffic: units by day.
        start: first second of the measured days, since 1970 UTC.
        days: number of measured days.
        units: number of units in them.
    """

    baselines: Mapping[MetricName, BaselineByDay]
    unmeasured: Mapping[MetricName, str]
    traffic: Traffic
    start: int
    days: int
    units: int


@dataclass(frozen=True, slots=True, eq=False)
class _OneArm:
    """Exposures of any experiment, or of none, as exposures of one arm."""

    source: Source

    def chunks(self) -> Iterator[Chunk]:
        for chunk in self.source.chunks():
            count = len(chunk)
            yield replace(
                chunk,
                columns={**chunk.columns, "experiment": pa.array([_KEY] * count), "arm": pa.array([_ARM] * count)},
            )


def measure_baselines(
    logs: Logs,
    metrics: Sequence[MetricName],
    *,
    days: int = 28,
    unit: UnitKind = UnitKind.USER,
    diversity: ListValues | None = None,
) -> Measured:
    """Measure the last `days` days of logs as if all units were in one arm of an experiment.

    Units, caps, denominators and the pre-period are those of the analysis, so that the plan is for the same numbers.

    Args:
        logs: exposures, events and ratings; exposures of any experiment or of none.
        metrics: metrics to measure.
        days: number of days; fewer if the logs are shorter.
        unit: kind of unit that the experiment will assign.
        diversity: function that computes the style diversity of lists, for logs without that column.

    Raises:
        DataError: if the logs are empty or shorter than one day.
    """
    ends = [
        (int(np.min(times)), int(np.max(times)))
        for chunk in logs.exposures.chunks()
        if len(times := chunk.columns["timestamp"].to_numpy(zero_copy_only=False))
    ]
    if not ends:
        raise DataError("the log of exposures is empty: give logs of one day or more, or a baseline in numbers")
    first, last = min(low for low, _ in ends), max(high for _, high in ends)
    whole = min(-(-(last - first) // SECONDS_PER_DAY), days)
    if whole < 1:
        raise DataError("the log of exposures is of one moment only: give logs of one day or more")
    start = last - whole * SECONDS_PER_DAY
    experiment = Experiment.model_validate(
        {
            "key": _KEY,
            "title": _KEY,
            "hypothesis": _KEY,
            "unit": unit,
            "status": Status.RUNNING,
            "started_at": start,
            "control": _ARM,
            "arms": {_ARM: {}, "none": {}},
            "metrics": [{"name": name} for name in metrics],
        }
    )
    columns = read_logs(experiment, replace(logs, exposures=_OneArm(logs.exposures)), diversity)
    table = build_unit_table(columns, experiment, last, last)
    per_day = np.bincount((table.first - start) // SECONDS_PER_DAY, minlength=whole)[:whole].astype(np.float64)
    known = {name: _by_day(table, name, start, whole) for name in metrics if name in table.metrics}
    return Measured(
        baselines=known,
        unmeasured={name: table.unmeasured[name] for name in metrics if name not in known},
        traffic=Traffic(tuple(np.cumsum(per_day).tolist()), units_per_day(table.first, last)),
        start=start,
        days=whole,
        units=len(table),
    )


def build_logs(interactions: pd.DataFrame, days: int) -> Logs:
    """Build logs from the last days of interactions, as if each event was one list that its user saw.

    They measure conversion, for users who come to the shop. Rates of shown items need real exposures.

    Args:
        interactions: frame with user_id, item_id, event and timestamp.
        days: number of days to measure; `BEFORE_DAYS` more are kept as pre-period.
    """
    first = int(interactions["timestamp"].max()) - (days + BEFORE_DAYS) * SECONDS_PER_DAY
    recent = interactions.loc[interactions["timestamp"] >= first, ["user_id", "item_id", "event", "timestamp"]]
    events = recent.rename(columns={"user_id": "unit"}).astype({"unit": str, "item_id": str, "event": str})
    exposures = pd.DataFrame(
        {
            "request_id": [f"e{row}" for row in range(len(events))],
            "unit": events["unit"].to_numpy(),
            "timestamp": events["timestamp"].to_numpy(),
            "experiment": None,
            "arm": None,
            "items": [[item] for item in events["item_id"]],
        }
    )
    return Logs.from_frames(exposures, events.reset_index(drop=True))


def _by_day(table: UnitTable, metric: MetricName, start: int, days: int) -> BaselineByDay:
    code = table.arms.index(_ARM)

    @cache
    def at(day: int) -> Baseline | None:
        try:
            arms = metric_by_arm(table, metric, start + min(day, days) * SECONDS_PER_DAY)
        except DataError:
            return None
        moments = arms.adjusted.arms[code]
        if moments.n < 2:
            return None
        if arms.successes is not None:
            rate = arms.raw[code]
            return Baseline.from_rate(rate) if 0.0 < rate < 1.0 else None
        return replace(Baseline.from_moments(moments), mean=arms.raw[code])

    return at

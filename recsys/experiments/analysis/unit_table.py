"""Table of units: sums of each unit for every metric, before and after its first exposure.

A unit counts from its first exposure on, in the arm of that exposure, with all its events until the end (intention to
treat). Its events in the `BEFORE_DAYS` days before are the covariates of its metrics. Clicks and carts on shown items
are joined by request id: each item of each list counts once, and not before the list. Refunds lower revenue; a unit
whose purchase is refunded has still bought. Units in several arms and forced units are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import DataError
from recsys.experiments.analysis.columnar_logs import (
    KINDS,
    REFUNDS,
    ColumnarLogs,
    EventRows,
    ExposureRows,
    FeedbackRows,
    Keys,
    Repeats,
    round_exact,
    select_rows,
)
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.stats.cuped import fill_missing
from recsys.experiments.stats.health import multiple_exposures
from recsys.experiments.stats.moments import Values
from recsys.schema import BoolArray, EventKind, IntArray

BEFORE_DAYS = 28
"""Length of the pre-period: whole weeks, so that it has each day of the week equally often."""
_ODD = np.uint64(0x9E3779B97F4A7C15)
"""Odd multiplier near 2^64 / golden ratio: spreads unit codes over all 64-bit keys."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Values (m,) with unit and time; their sums by unit are a metric's numerator or denominator."""

    unit: IntArray
    timestamp: IntArray
    value: Values

    def sums(self, units: int, until: int | None = None) -> Values:
        """Return the sum of each unit (n,), of rows up to `until` (seconds since 1970 UTC)."""
        if until is None:
            return sum_by_unit(self.unit, self.value, units)
        early = self.timestamp <= until
        return sum_by_unit(self.unit[early], self.value[early], units)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Rows of one metric. `denominator`: for ratios, else None. `before`: covariates (n, k); None if there are none."""

    numerator: Rows
    denominator: Rows | None
    before: Values | None


@dataclass(frozen=True, slots=True)
class Tally:
    """Count of rows with a defect: `found` of `of` rows, and the row number of the first one in its file."""

    found: int
    of: int
    first_row: int | None = None

    @property
    def share(self) -> float:
        """Share found / of, in [0, 1]; 0 if there are no rows."""
        return self.found / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Defects:
    """Defects of the logs.

    Attributes:
        multiple: units in several arms.
        outside: exposures before the start or after the end.
        early: events before the exposure that they answer.
        late: events after the time of analysis.
        beyond: events with a position outside the list.
        repeated: exposures that are logged twice and count once.
        repeats: events and ratings that are logged twice.
        past: events before the first exposure of their unit.
        ended: events after the end of the experiment, and before the time of analysis.
        refunds: refunds after the first exposure of their unit.
        refunded: sum that these take back.
        beyond_zero: units whose refunds are more than their purchases.
        lost_rows: events that name a request which is in no logged exposure.
        lost: such events by unit (n,).
        answering: events that name a request, by unit (n,).
    """

    multiple: Tally
    outside: Tally
    early: Tally
    late: Tally
    beyond: Tally
    repeated: Tally
    repeats: Repeats
    past: int
    ended: int
    refunds: int
    refunded: float
    beyond_zero: int
    lost_rows: Tally
    lost: Values
    answering: Values


@dataclass(frozen=True, slots=True, eq=False)
class UnitTable:
    """Units of an experiment (n,), sorted by id.

    Attributes:
        arms: names of the arms (k).
        ids: ids of the units (n,).
        arm: codes of `arms` (n,).
        first: times of the first exposure (n,), seconds since 1970 UTC.
        known: True for units with events in the pre-period (n,).
        exposures: number of exposures of these units.
        forced: number of forced units, which are left out.
        metrics: rows by metric.
        unmeasured: reason by metric that these logs do not contain.
        segments: codes (n,), -1 for none, and names, by column.
        defects: defects of the logs.
    """

    arms: tuple[str, ...]
    ids: pa.StringArray
    arm: IntArray
    first: IntArray
    known: BoolArray
    exposures: int
    forced: int
    metrics: Mapping[MetricName, Measured]
    unmeasured: Mapping[MetricName, str]
    segments: Mapping[str, tuple[IntArray, tuple[str, ...]]]
    defects: Defects

    def __len__(self) -> int:
        return len(self.arm)

    def counts(self) -> IntArray:
        """Return the number of units of each arm (k,)."""
        return np.bincount(self.arm, minlength=len(self.arms))


def sum_by_unit(unit: IntArray, value: Values, units: int) -> Values:
    """Return the sum of the values (m,) of each unit (n,)."""
    return np.bincount(unit, value, minlength=units).astype(np.float64)


def build_unit_table(logs: ColumnarLogs, experiment: Experiment, now: int, until: int | None = None) -> UnitTable:
    """Build the table of units, from the start of the experiment to its stop or to `now`.

    Args:
        logs: logs of the experiment.
        experiment: definition of the experiment.
        now: time of the analysis, seconds since 1970 UTC.
        until: ignore rows after this time.

    Raises:
        DataError: if no unit is left.
    """
    start = experiment.started_at or 0
    horizon = now if until is None else until
    end = horizon if experiment.stopped_at is None else min(horizon, experiment.stopped_at)
    is_forced = pc.is_in(logs.units, pa.array(list(experiment.forced), pa.string()))
    forced = np.asarray(is_forced.to_numpy(zero_copy_only=False), dtype=np.bool_)
    time = logs.exposures.timestamp
    chance = ~forced[logs.exposures.unit]
    if until is not None:
        chance = chance & (time <= until)
    outside = chance & ((time < start) | (time > end))
    inside_run = chance & ~outside
    during = logs.exposures if inside_run.all() else select_rows(logs.exposures, inside_run)
    # Each pair of unit and arm once: sorting ten times as many exposures would take seconds.
    pairs = np.zeros((len(logs.units), len(logs.arms)), dtype=np.bool_)
    pairs[during.unit, during.arm] = True
    multiple = multiple_exposures(*np.nonzero(pairs)).multiple
    inside = np.zeros(len(logs.units), dtype=np.bool_)
    inside[during.unit] = True
    inside[multiple] = False
    count = int(inside.sum())
    if not count:
        of_forced = int(forced[logs.exposures.unit].sum())
        raise DataError(
            f"{logs.files[0]}: {len(time)} exposures, and no unit to analyze: {of_forced} are of forced units, "
            f"{int(outside.sum())} lie before the start or after the end, {len(multiple)} units are in several "
            "arms; check the experiment's file, clocks and logs"
        )
    # Row of each unit of the logs in the table, -1 for units that are not in it.
    row = np.where(inside, np.cumsum(inside) - 1, -1)
    in_table = row[during.unit] >= 0
    own = during if in_table.all() else select_rows(during, in_table)
    exposures = _Exposures.from_rows(own, row[own.unit], count)
    events = _Events.from_rows(logs.events, row, exposures, end)
    late = (logs.events.timestamp > now) & (until is None)
    known = np.zeros(count, dtype=np.bool_)
    known[events.unit[events.before]] = True
    habits = _collect_habits(events, logs.events.timestamp, exposures.first)
    ratings = _collect_ratings(logs.feedback, row, exposures.first, end)
    builder = _Builder(count, exposures, events, logs.events, ratings, known, habits)
    metrics, unmeasured = builder.build_all()
    refunds = (logs.events.kind == REFUNDS) & events.after
    revenue = metrics.get(MetricName.REVENUE_PER_USER)
    # Events that name a request which is in no logged exposure.
    lost = np.zeros(len(events.unit), dtype=np.bool_)
    answering = np.flatnonzero(events.answering)
    keys = logs.events.request[answering]
    lost[answering] = logs.answered[_nearest(logs.answered, keys)] != keys
    return UnitTable(
        arms=logs.arms,
        ids=logs.units.take(pa.array(np.flatnonzero(inside))),
        arm=exposures.arm,
        first=exposures.first,
        known=known,
        exposures=len(exposures.unit),
        forced=len(np.unique(logs.exposures.unit[forced[logs.exposures.unit]])),
        metrics=metrics,
        unmeasured=unmeasured,
        segments={"user": ((~known).astype(np.int64), ("known", "new")), **_collect_segments(own, exposures)},
        defects=Defects(
            multiple=Tally(
                len(multiple),
                count + len(multiple),
                _first_row(during.row, np.isin(during.unit, multiple)) if len(multiple) else None,
            ),
            outside=_tally(logs.exposures.row, outside, int(chance.sum())),
            early=_tally(logs.events.row, events.early, int((events.joined | events.early).sum())),
            late=_tally(logs.events.row, events.own & late, int(events.own.sum())),
            beyond=_tally(logs.events.row, events.beyond, int(events.joined.sum())),
            repeated=Tally(exposures.repeated, len(own.unit)),
            repeats=logs.repeats,
            past=int((events.own & (events.since < 0)).sum()),
            ended=0 if until is not None else int((events.own & (logs.events.timestamp > end) & ~late).sum()),
            refunds=int(refunds.sum()),
            refunded=float(-logs.events.amount[refunds].sum()),
            beyond_zero=int((revenue.numerator.sums(count) < 0.0).sum()) if revenue is not None else 0,
            lost_rows=_tally(logs.events.row, lost, int(events.answering.sum())),
            lost=np.bincount(events.unit[lost], minlength=count).astype(np.float64),
            answering=np.bincount(events.unit[events.answering], minlength=count).astype(np.float64),
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Exposures:
    """Exposures (m,), each once, sorted by `key` of request and unit; arm and time of first exposure by unit (n,)."""

    key: Keys
    unit: IntArray
    timestamp: IntArray
    shown: Values
    diversity: Values | None
    arm: IntArray
    first: IntArray
    repeated: int

    @classmethod
    def from_rows(cls, rows: ExposureRows, unit: IntArray, count: int) -> _Exposures:
        arm = np.zeros(count, dtype=np.int64)
        arm[unit] = rows.arm
        first = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(first, unit, rows.timestamp)
        keys = _pair(rows.request, unit)
        order = np.argsort(keys)
        ordered = keys[order]
        # First row of each run of equal keys: repeated exposures are merged.
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))

        def merge(values: np.ndarray, how: np.ufunc) -> np.ndarray:
            # The order of repeated rows does not matter for minimum and maximum.
            return values[order] if len(starts) == len(order) else how.reduceat(values[order], starts)

        return cls(
            key=ordered[starts],
            unit=unit[order[starts]].astype(np.int64),
            timestamp=merge(rows.timestamp, np.minimum),
            shown=merge(rows.shown, np.maximum).astype(np.float64),
            diversity=None if rows.diversity is None else merge(rows.diversity, np.fmax),
            arm=arm,
            first=first,
            repeated=len(order) - len(starts),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Events:
    """Events (e,): their unit (-1 if not in the experiment), the exposure that they answer, and masks of their time."""

    unit: IntArray
    exposure: IntArray
    since: IntArray
    own: BoolArray
    joined: BoolArray
    after: BoolArray
    before: BoolArray
    early: BoolArray
    beyond: BoolArray
    answering: BoolArray

    @classmethod
    def from_rows(cls, events: EventRows, row: IntArray, shown: _Exposures, end: int) -> _Events:
        unit = row[events.unit] if len(row) else np.zeros(0, dtype=np.int64)
        own = unit >= 0
        since = events.timestamp - shown.first[unit] if len(shown.first) else np.zeros(len(unit), dtype=np.int64)
        keys = _pair(events.request, unit)
        found = _nearest(shown.key, keys)
        # `found` is only a candidate: the event answers it if the keys are equal.
        answered = own & events.answers & (shown.key[found] == keys) & (events.timestamp <= end)
        early = answered & (events.timestamp < shown.timestamp[found])
        joined = answered & ~early
        after = own & (since >= 0) & (events.timestamp <= end)
        return cls(
            unit=unit,
            exposure=found,
            since=since,
            own=own,
            joined=joined,
            after=after,
            before=own & (since < 0) & (since >= -BEFORE_DAYS * SECONDS_PER_DAY),
            early=early,
            beyond=joined & (events.position > shown.shown[found]),
            answering=after & events.answers,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Ratings:
    """Ratings (f,) of the experiment's units, after and before the first exposure."""

    unit: IntArray
    satisfied: BoolArray
    timestamp: IntArray
    after: BoolArray
    before: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class _Builder:
    count: int
    shown: _Exposures
    joined: _Events
    events: EventRows
    ratings: _Ratings | None
    known: BoolArray
    habits: tuple[Values, Values]

    def build_all(self) -> tuple[dict[MetricName, Measured], dict[MetricName, str]]:
        """Build the rows of all metrics, and the reasons for those that the logs do not contain."""
        builders = {
            MetricName.CTR: lambda: self._on_shown(EventKind.CLICK),
            MetricName.ADD_TO_CART: lambda: self._on_shown(EventKind.CART),
            MetricName.CONVERSION: self._conversion,
            MetricName.REVENUE_PER_USER: self._revenue,
            MetricName.DWELL: self._dwell,
            MetricName.SATISFACTION: self._satisfaction,
            MetricName.STYLE_DIVERSITY: self._diversity,
        }
        built = {name: build() for name, build in builders.items()}
        measured = {name: found for name, found in built.items() if isinstance(found, Measured)}
        return measured, {name: found for name, found in built.items() if isinstance(found, str)}

    def _on_shown(self, kind: EventKind) -> Measured | str:
        if len(self.events.answers) and not self.events.answers.any():
            return "no event has a request_id, which joins it to an exposure; log it with events"
        rows = np.flatnonzero(self._kind(kind) & self.joined.joined)
        exposure = self.joined.exposure[rows]
        time = self.events.timestamp[rows]
        item = self.events.item[rows].astype(np.int64)
        # Sorted by exposure, item and time: the first row of each exposure and item counts.
        order = np.lexsort((time, item, exposure))
        repeated = np.zeros(len(rows), dtype=np.bool_)
        repeated[1:] = (np.diff(exposure[order]) == 0) & (np.diff(item[order]) == 0)
        first = order[~repeated]
        numerator = Rows(self.shown.unit[exposure[first]], time[first], np.ones(len(first)))
        denominator = Rows(self.shown.unit, self.shown.timestamp, self.shown.shown)
        return Measured(numerator, denominator, self._before(self._past(kind)))

    def _conversion(self) -> Measured:
        rows = np.flatnonzero(self._kind(EventKind.PURCHASE) & self.joined.after)
        unit, time = self.joined.unit[rows], self.events.timestamp[rows]
        order = np.lexsort((time, unit))
        # Only the first purchase of each unit.
        first = order[np.diff(unit[order], prepend=-1) != 0]
        numerator = Rows(unit[first], time[first], np.ones(len(first)))
        return Measured(numerator, None, self._before(np.minimum(self._past(EventKind.PURCHASE), 1.0)))

    def _revenue(self) -> Measured | str:
        bought, amount = self._kind(EventKind.PURCHASE), self.events.amount
        if bought.any() and np.isnan(amount[bought]).all():
            return "no purchase has an amount; log the amount of each purchase"
        value = round_exact(np.nan_to_num(amount))
        # A refund takes back money, also of a purchase before the first exposure: the metric never counts below 0.
        money = bought | (self.events.kind == REFUNDS)
        rows = np.flatnonzero(money & self.joined.before)
        past = np.maximum(sum_by_unit(self.joined.unit[rows], value[rows], self.count), 0.0)
        return Measured(self._after(money, value), None, self._before(past))

    def _dwell(self) -> Measured | str:
        viewed = self._kind(EventKind.VIEW) & ~np.isnan(self.events.dwell_s)
        if not viewed.any():
            return "no view has a dwell_s; log how many seconds views took"
        seconds = round_exact(np.nan_to_num(self.events.dwell_s))
        before = viewed & self.joined.before
        past = sum_by_unit(self.joined.unit[before], seconds[before], self.count)
        views = np.bincount(self.joined.unit[before], minlength=self.count).astype(np.float64)
        return Measured(
            self._after(viewed, seconds), self._after(viewed, np.ones(len(viewed))), self._before(past, views)
        )

    def _satisfaction(self) -> Measured | str:
        found = self.ratings
        if found is None or not found.after.any():
            return "no unit rated a restyled image; give the feedback log"
        time, unit = found.timestamp[found.after], found.unit[found.after]
        satisfied = found.satisfied[found.after].astype(np.float64)
        before = found.unit[found.before]
        past = sum_by_unit(before, found.satisfied[found.before].astype(np.float64), self.count)
        rated = np.bincount(before, minlength=self.count).astype(np.float64)
        covariates = self._before(past, rated) if found.before.any() else None
        return Measured(Rows(unit, time, satisfied), Rows(unit, time, np.ones(len(unit))), covariates)

    def _diversity(self) -> Measured | str:
        if self.shown.diversity is None or np.isnan(self.shown.diversity).all():
            return "exposures have no style_diversity; add that column, or give the style vectors of items"
        known = ~np.isnan(self.shown.diversity)
        unit, time = self.shown.unit[known], self.shown.timestamp[known]
        values = round_exact(self.shown.diversity[known])
        return Measured(Rows(unit, time, values), Rows(unit, time, np.ones(len(values))), None)

    def _kind(self, kind: EventKind) -> BoolArray:
        return np.asarray(self.events.kind == KINDS.index(kind))

    def _after(self, mask: BoolArray, value: Values) -> Rows:
        rows = np.flatnonzero(mask & self.joined.after)
        return Rows(self.joined.unit[rows], self.events.timestamp[rows], value[rows])

    def _past(self, kind: EventKind) -> Values:
        rows = np.flatnonzero(self._kind(kind) & self.joined.before)
        return sum_by_unit(self.joined.unit[rows], np.ones(len(rows)), self.count)

    def _before(self, *past: Values) -> Values | None:
        """Return covariates (n, k) of the pre-period; None if nothing of the metric was measured there.

        The metric's own values come first, then the days with a visit, the days since the last visit, and 1 for units
        without a past.
        """
        if not self.known.any() or not any(column.any() for column in past):
            return None
        filled = [fill_missing(np.where(self.known, column, np.nan)) for column in (*past, *self.habits)]
        return np.column_stack([*(pair[:, 0] for pair in filled), filled[0][:, 1]])


def _collect_ratings(rows: FeedbackRows | None, row: IntArray, first: IntArray, end: int) -> _Ratings | None:
    if rows is None:
        return None
    inside = row[rows.unit] >= 0
    unit, time = row[rows.unit][inside], rows.timestamp[inside]
    since = time - first[unit]
    before = (since < 0) & (since >= -BEFORE_DAYS * SECONDS_PER_DAY)
    return _Ratings(unit, rows.satisfied[inside], time, (since >= 0) & (time <= end), before)


def _collect_habits(events: _Events, time: IntArray, first: IntArray) -> tuple[Values, Values]:
    """Return the days with a visit in the pre-period, and days since the last one, of each unit (n,); 0 without any."""
    unit = events.unit[events.before]
    since = first[unit] - time[events.before]
    visited = np.zeros((len(first), BEFORE_DAYS), dtype=np.bool_)
    # Whole days before the first exposure, 0 for the last 24 hours; exactly 28 days before is in the last of them.
    visited[unit, np.minimum((since - 1) // SECONDS_PER_DAY, BEFORE_DAYS - 1)] = True
    last = np.full(len(first), BEFORE_DAYS * SECONDS_PER_DAY, dtype=np.int64)
    np.minimum.at(last, unit, since)
    any_ = visited.any(axis=1)
    return visited.sum(axis=1).astype(np.float64), np.where(any_, last / SECONDS_PER_DAY, 0.0)


def _collect_segments(own: ExposureRows, shown: _Exposures) -> dict[str, tuple[IntArray, tuple[str, ...]]]:
    """Return each unit's value at its first exposure; of several values at the same time the first by name."""
    row = np.cumsum(np.bincount(own.unit, minlength=int(own.unit.max(initial=0)) + 1) > 0) - 1
    unit = row[own.unit]
    at_first = own.timestamp == shown.first[unit]
    found = {}
    for column, (codes, names) in own.segments.items():
        least = np.full(len(shown.first), len(names), dtype=np.int64)
        given = at_first & (codes >= 0)
        np.minimum.at(least, unit[given], codes[given])
        found[column] = (np.where(least < len(names), least, -1), names)
    return found


def _nearest(ordered: Keys, keys: Keys) -> IntArray:
    """Return the index of each key among the ordered ones, or of its point of insertion."""
    # Searching for sorted keys reads memory in order, which is much faster for millions of keys.
    order = np.argsort(keys)
    found = np.empty(len(keys), dtype=np.int64)
    found[order] = np.searchsorted(ordered, keys[order])
    return np.minimum(found, len(ordered) - 1)


def _pair(request: Keys, unit: IntArray) -> Keys:
    """Return one key for a request and a unit: a request id may occur in lists of several users."""
    return request + unit.astype(np.uint64) * _ODD


def _tally(rows: np.ndarray, mask: BoolArray, of: int) -> Tally:
    return Tally(int(mask.sum()), of, _first_row(rows, mask))


def _first_row(rows: np.ndarray, mask: BoolArray) -> int | None:
    return int(rows[mask].min()) if mask.any() else None

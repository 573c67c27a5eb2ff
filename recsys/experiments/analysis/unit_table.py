"""What each unit saw and did: sums for every metric, before and after the unit's first exposure.

A unit counts from its first exposure on, in the arm of that exposure, with all that it does until the end (intention to
treat); what it did in the `BEFORE_DAYS` before is what its metrics are adjusted by. Clicks and carts on what was shown
are found by request id: each item of each answer counts once. Units in several arms and forced units are left out.
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
    ColumnarLogs,
    EventRows,
    ExposureRows,
    FeedbackRows,
    Keys,
    exact,
)
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.stats.cuped import fill_missing
from recsys.experiments.stats.health import multiple_exposures
from recsys.experiments.stats.moments import Values
from recsys.schema import BoolArray, EventKind, IntArray

BEFORE_DAYS = 28
"""Whole weeks, so that every unit's pre-period has each day of the week as often."""
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Values (m,) that units gathered, each at its time: their sums are a metric's numerator or denominator."""

    unit: IntArray
    timestamp: IntArray
    value: Values

    def sums(self, units: int, until: int | None = None) -> Values:
        """The sum of each unit (n,), of rows up to the second `until`."""
        if until is None:
            return summed(self.unit, self.value, units)
        kept = self.timestamp <= until
        return summed(self.unit[kept], self.value[kept], units)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A metric as rows. `denominator`: of a ratio, else None. `before` (n, k): covariates, None where none is known."""

    numerator: Rows
    denominator: Rows | None
    before: Values | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of how many rows have a defect, and the number of the first of these in its file."""

    found: int
    of: int
    first_row: int | None = None

    @property
    def share(self) -> float:
        """found / of, 0 of nothing."""
        return self.found / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Defects:
    """What is odd in the logs.

    `crossed`: units in several arms. `outside`: exposures before the start or after the end. `early`: events before
    the exposure that they answer. `late`: events after the analysis. `beyond`: positions outside the list. `repeated`:
    exposures that are there twice, and count once. `lost`, `answering` (n,): events that answer no logged request, and
    those that answer any.
    """

    crossed: Tally
    outside: Tally
    early: Tally
    late: Tally
    beyond: Tally
    repeated: Tally
    lost_rows: Tally
    lost: Values
    answering: Values


@dataclass(frozen=True, slots=True, eq=False)
class UnitTable:
    """Units of an experiment (n,), sorted by id.

    `arm`: codes of `arms`. `first`: second of the first exposure. `known`: did something in the days before.
    `segments`: codes (-1 for none) and names by column. `unmeasured`: why a metric cannot be had from these logs.
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
        """Units of each arm (k,)."""
        return np.bincount(self.arm, minlength=len(self.arms))


def summed(unit: IntArray, value: Values, units: int) -> Values:
    """The sum of the values (m,) of each unit (n,)."""
    return np.bincount(unit, value, minlength=units).astype(np.float64)


def unit_table(gathered: ColumnarLogs, experiment: Experiment, now: int, until: int | None = None) -> UnitTable:
    """Units and their sums, from the start to the stop, or `now` (seconds since 1970 UTC).

    `until`: rows after it are as if they were not there yet. Raises DataError where no unit is left.
    """
    start = experiment.started_at or 0
    horizon = now if until is None else until
    end = horizon if experiment.stopped_at is None else min(horizon, experiment.stopped_at)
    forced = _is_forced(gathered, experiment)
    time = gathered.exposures.timestamp
    chance = ~forced[gathered.exposures.unit]
    if until is not None:
        chance = chance & (time <= until)
    outside = chance & ((time < start) | (time > end))
    seen = _kept(gathered.exposures, chance & ~outside)
    crossed = multiple_exposures(*_pairs_seen(seen, len(gathered.units), len(gathered.arms))).crossed
    place, count = _places(seen, crossed, len(gathered.units))
    if not count:
        of_forced = int(forced[gathered.exposures.unit].sum())
        raise DataError(
            f"{gathered.files[0]}: {len(time)} exposures, and no unit to analyze: {of_forced} are of forced units, "
            f"{int(outside.sum())} lie before the start or after the end, {len(crossed)} units are in several "
            "arms; check the experiment's file, clocks and logs"
        )
    total = count + len(crossed)
    own = _kept(seen, place[seen.unit] >= 0)
    shown = _Shown.of(own, place[own.unit], count)
    done = _Done.of(gathered.events, place, shown, end)
    late = (gathered.events.timestamp > now) & (until is None)
    known = np.zeros(count, dtype=np.bool_)
    known[done.unit[done.before]] = True
    builder = _Builder(
        count, shown, done, gathered.events, _verdicts(gathered.feedback, place, shown.first, end), known
    )
    metrics, unmeasured = builder.all_metrics()
    return UnitTable(
        arms=gathered.arms,
        ids=gathered.units.take(pa.array(np.flatnonzero(place >= 0))),
        arm=shown.arm,
        first=shown.first,
        known=known,
        exposures=len(shown.unit),
        forced=len(np.unique(gathered.exposures.unit[forced[gathered.exposures.unit]])),
        metrics=metrics,
        unmeasured=unmeasured,
        segments={"user": ((~known).astype(np.int64), ("known", "new")), **_segments(own, shown)},
        defects=Defects(
            crossed=Tally(len(crossed), total, _first(seen.row, np.isin(seen.unit, crossed)) if len(crossed) else None),
            outside=_tally(gathered.exposures.row, outside, int(chance.sum())),
            early=_tally(gathered.events.row, done.early, int(done.joined.sum())),
            late=_tally(gathered.events.row, done.own & late, int(done.own.sum())),
            beyond=_tally(gathered.events.row, done.beyond, int(done.joined.sum())),
            repeated=Tally(shown.repeated, len(own.unit)),
            lost_rows=_tally(gathered.events.row, _lost(gathered, done), int(done.answering.sum())),
            lost=np.bincount(done.unit[_lost(gathered, done)], minlength=count).astype(np.float64),
            answering=np.bincount(done.unit[done.answering], minlength=count).astype(np.float64),
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """Exposures (m,), each once, sorted by `key` of request and unit; of units (n,): their arm and first exposure."""

    key: Keys
    unit: IntArray
    timestamp: IntArray
    shown: Values
    diversity: Values | None
    arm: IntArray
    first: IntArray
    repeated: int

    @classmethod
    def of(cls, rows: ExposureRows, unit: IntArray, count: int) -> _Shown:
        arm = np.zeros(count, dtype=np.int64)
        arm[unit] = rows.arm
        first = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(first, unit, rows.timestamp)
        keys = _pair(rows.request, unit)
        order = np.argsort(keys)
        ordered = keys[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))

        def merged(values: np.ndarray, how: np.ufunc) -> np.ndarray:
            # Of rows that are there twice it does not matter which comes first.
            return values[order] if len(starts) == len(order) else how.reduceat(values[order], starts)

        return cls(
            key=ordered[starts],
            unit=unit[order[starts]].astype(np.int64),
            timestamp=merged(rows.timestamp, np.minimum),
            shown=merged(rows.shown, np.maximum).astype(np.float64),
            diversity=None if rows.diversity is None else merged(rows.diversity, np.fmax),
            arm=arm,
            first=first,
            repeated=len(order) - len(starts),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Done:
    """Events (e,): whose they are (-1: of no unit of the experiment), which exposure they answer, and when they lie."""

    unit: IntArray
    exposure: IntArray
    own: BoolArray
    joined: BoolArray
    after: BoolArray
    before: BoolArray
    early: BoolArray
    beyond: BoolArray
    answering: BoolArray

    @classmethod
    def of(cls, events: EventRows, place: IntArray, shown: _Shown, end: int) -> _Done:
        unit = place[events.unit] if len(place) else np.zeros(0, dtype=np.int64)
        own = unit >= 0
        since = events.timestamp - shown.first[unit] if len(shown.first) else np.zeros(len(unit), dtype=np.int64)
        keys = _pair(events.request, unit)
        found = _nearest(shown.key, keys)
        joined = own & events.answers & (shown.key[found] == keys) & (events.timestamp <= end)
        after = own & (since >= 0) & (events.timestamp <= end)
        return cls(
            unit=unit,
            exposure=found,
            own=own,
            joined=joined,
            after=after,
            before=own & (since < 0) & (since >= -BEFORE_DAYS * SECONDS_PER_DAY),
            early=joined & (events.timestamp < shown.timestamp[found]),
            beyond=joined & (events.position > shown.shown[found]),
            answering=after & events.answers,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Verdicts:
    """Verdicts (f,) of the experiment's units, after and before the first exposure."""

    unit: IntArray
    satisfied: BoolArray
    timestamp: IntArray
    after: BoolArray
    before: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class _Builder:
    count: int
    shown: _Shown
    done: _Done
    events: EventRows
    verdicts: _Verdicts | None
    known: BoolArray

    def all_metrics(self) -> tuple[dict[MetricName, Measured], dict[MetricName, str]]:
        makers = {
            MetricName.CTR: lambda: self._on_shown(EventKind.CLICK),
            MetricName.ADD_TO_CART: lambda: self._on_shown(EventKind.CART),
            MetricName.CONVERSION: self._conversion,
            MetricName.REVENUE_PER_USER: self._revenue,
            MetricName.DWELL: self._dwell,
            MetricName.SATISFACTION: self._satisfaction,
            MetricName.STYLE_DIVERSITY: self._diversity,
        }
        made = {name: make() for name, make in makers.items()}
        measured = {name: found for name, found in made.items() if isinstance(found, Measured)}
        return measured, {name: found for name, found in made.items() if isinstance(found, str)}

    def _on_shown(self, kind: EventKind) -> Measured | str:
        if len(self.events.answers) and not self.events.answers.any():
            return "no event has a request_id, by which it would join to what was shown; log it with events"
        rows = np.flatnonzero(self._kind(kind) & self.done.joined)
        exposure = self.done.exposure[rows]
        time = np.maximum(self.events.timestamp[rows], self.shown.timestamp[exposure])
        item = self.events.item[rows].astype(np.int64)
        order = np.lexsort((time, item, exposure))
        again = np.zeros(len(rows), dtype=np.bool_)
        again[1:] = (np.diff(exposure[order]) == 0) & (np.diff(item[order]) == 0)
        kept = order[~again]
        numerator = Rows(self.shown.unit[exposure[kept]], time[kept], np.ones(len(kept)))
        denominator = Rows(self.shown.unit, self.shown.timestamp, self.shown.shown)
        return Measured(numerator, denominator, self._before(self._past(kind)))

    def _conversion(self) -> Measured:
        rows = np.flatnonzero(self._kind(EventKind.PURCHASE) & self.done.after)
        unit, time = self.done.unit[rows], self.events.timestamp[rows]
        order = np.lexsort((time, unit))
        kept = order[np.diff(unit[order], prepend=-1) != 0]
        numerator = Rows(unit[kept], time[kept], np.ones(len(kept)))
        return Measured(numerator, None, self._before(np.minimum(self._past(EventKind.PURCHASE), 1.0)))

    def _revenue(self) -> Measured | str:
        bought, amount = self._kind(EventKind.PURCHASE), self.events.amount
        if bought.any() and np.isnan(amount[bought]).all():
            return "no purchase has an amount; log what each was worth"
        worth = exact(np.nan_to_num(amount))
        past = self._past(EventKind.PURCHASE, worth)
        return Measured(self._after(bought, worth), None, self._before(past))

    def _dwell(self) -> Measured | str:
        viewed = self._kind(EventKind.VIEW) & ~np.isnan(self.events.dwell_s)
        if not viewed.any():
            return "no view has a dwell_s; log how many seconds views took"
        seconds = exact(np.nan_to_num(self.events.dwell_s))
        past = summed(self.done.unit[viewed & self.done.before], seconds[viewed & self.done.before], self.count)
        views = np.bincount(self.done.unit[viewed & self.done.before], minlength=self.count).astype(np.float64)
        return Measured(
            self._after(viewed, seconds), self._after(viewed, np.ones(len(viewed))), self._before(past, views)
        )

    def _satisfaction(self) -> Measured | str:
        found = self.verdicts
        if found is None or not found.after.any():
            return "there is no verdict on a restyled picture of these units; give the feedback log"
        time, unit = found.timestamp[found.after], found.unit[found.after]
        satisfied = found.satisfied[found.after].astype(np.float64)
        before = found.unit[found.before]
        past = summed(before, found.satisfied[found.before].astype(np.float64), self.count)
        asked = np.bincount(before, minlength=self.count).astype(np.float64)
        covariates = self._before(past, asked) if found.before.any() else None
        return Measured(Rows(unit, time, satisfied), Rows(unit, time, np.ones(len(unit))), covariates)

    def _diversity(self) -> Measured | str:
        if self.shown.diversity is None or np.isnan(self.shown.diversity).all():
            return "exposures have no style_diversity; add that column, or give the style vectors of items"
        kept = ~np.isnan(self.shown.diversity)
        unit, time = self.shown.unit[kept], self.shown.timestamp[kept]
        return Measured(
            Rows(unit, time, exact(self.shown.diversity[kept])), Rows(unit, time, np.ones(int(kept.sum()))), None
        )

    def _kind(self, kind: EventKind) -> BoolArray:
        return np.asarray(self.events.kind == KINDS.index(kind))

    def _after(self, which: BoolArray, value: Values) -> Rows:
        rows = np.flatnonzero(which & self.done.after)
        return Rows(self.done.unit[rows], self.events.timestamp[rows], value[rows])

    def _past(self, kind: EventKind, value: Values | None = None) -> Values:
        rows = np.flatnonzero(self._kind(kind) & self.done.before)
        weights = np.ones(len(rows)) if value is None else value[rows]
        return summed(self.done.unit[rows], weights, self.count)

    def _before(self, *past: Values) -> Values | None:
        """Covariates, and whether nothing is known of a unit; None where that is so of all, or they say nothing."""
        if not self.known.any() or not any(column.any() for column in past):
            return None
        filled = [fill_missing(np.where(self.known, column, np.nan)) for column in past]
        return np.column_stack([*(pair[:, 0] for pair in filled), filled[0][:, 1]])


def _is_forced(gathered: ColumnarLogs, experiment: Experiment) -> BoolArray:
    forced = pc.is_in(gathered.units, pa.array(list(experiment.forced), pa.string()))
    return np.asarray(forced.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _kept(rows: ExposureRows, mask: BoolArray) -> ExposureRows:
    if mask.all():
        return rows
    return ExposureRows(
        unit=rows.unit[mask],
        arm=rows.arm[mask],
        request=rows.request[mask],
        timestamp=rows.timestamp[mask],
        shown=rows.shown[mask],
        row=rows.row[mask],
        diversity=None if rows.diversity is None else rows.diversity[mask],
        segments={name: (codes[mask], names) for name, (codes, names) in rows.segments.items()},
    )


def _pairs_seen(seen: ExposureRows, units: int, arms: int) -> tuple[IntArray, IntArray]:
    """Codes of units and arms, each pair that occurs once: sorting ten times as many exposures takes seconds."""
    there = np.zeros((units, arms), dtype=np.bool_)
    there[seen.unit, seen.arm] = True
    unit, arm = np.nonzero(there)
    return unit, arm


def _places(seen: ExposureRows, crossed: IntArray, units: int) -> tuple[IntArray, int]:
    """Where each unit stands in the table, -1 for those that are not in it; and how many are."""
    inside = np.zeros(units, dtype=np.bool_)
    inside[seen.unit] = True
    inside[crossed] = False
    return np.where(inside, np.cumsum(inside) - 1, -1), int(inside.sum())


def _verdicts(rows: FeedbackRows | None, place: IntArray, first: IntArray, end: int) -> _Verdicts | None:
    if rows is None:
        return None
    kept = place[rows.unit] >= 0
    unit, time = place[rows.unit][kept], rows.timestamp[kept]
    since = time - first[unit]
    before = (since < 0) & (since >= -BEFORE_DAYS * SECONDS_PER_DAY)
    return _Verdicts(unit, rows.satisfied[kept], time, (since >= 0) & (time <= end), before)


def _segments(own: ExposureRows, shown: _Shown) -> dict[str, tuple[IntArray, tuple[str, ...]]]:
    """Each unit's value at its first exposure; of several at once the first by name."""
    place = np.cumsum(np.bincount(own.unit, minlength=int(own.unit.max(initial=0)) + 1) > 0) - 1
    unit = place[own.unit]
    at_first = own.timestamp == shown.first[unit]
    found = {}
    for column, (codes, names) in own.segments.items():
        least = np.full(len(shown.first), len(names), dtype=np.int64)
        given = at_first & (codes >= 0)
        np.minimum.at(least, unit[given], codes[given])
        found[column] = (np.where(least < len(names), least, -1), names)
    return found


def _lost(gathered: ColumnarLogs, done: _Done) -> BoolArray:
    lost = np.zeros(len(done.unit), dtype=np.bool_)
    rows = np.flatnonzero(done.answering)
    keys = gathered.events.request[rows]
    lost[rows] = gathered.answered[_nearest(gathered.answered, keys)] != keys
    return lost


def _nearest(ordered: Keys, keys: Keys) -> IntArray:
    """Where each of the keys would stand among the ordered ones. Asked in order, because memory is read in order."""
    order = np.argsort(keys)
    found = np.empty(len(keys), dtype=np.int64)
    found[order] = np.searchsorted(ordered, keys[order])
    return np.minimum(found, len(ordered) - 1)


def _pair(request: Keys, unit: IntArray) -> Keys:
    """A key of a request and a unit: one request id may be in the answers to several people."""
    return request + unit.astype(np.uint64) * _ODD


def _tally(rows: np.ndarray, mask: BoolArray, of: int) -> Tally:
    return Tally(int(mask.sum()), of, _first(rows, mask))


def _first(rows: np.ndarray, mask: BoolArray) -> int | None:
    return int(rows[mask].min()) if mask.any() else None

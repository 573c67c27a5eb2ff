"""Logs as arrays of numbers: one pass over each log stores the analyzed columns, about 40 bytes per exposure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandas.util import hash_array

from recsys.errors import BadRowsError, DataError, Problem
from recsys.experiments.analysis.log_sources import Chunk, Logs
from recsys.experiments.analysis.log_values import as_mask
from recsys.experiments.design.definition import Experiment
from recsys.experiments.stats.moments import Values
from recsys.schema import BoolArray, EventKind, IntArray, Undo

KINDS = tuple(EventKind)
EVENT_CODES = (*KINDS, *Undo)
"""Events by code; the codes of kinds come first."""
REFUNDS = EVENT_CODES.index(Undo.REFUND)
SEGMENT_COLUMNS = ("platform", "category")
NO_CODE = -1
"""Code for a missing value."""
_UNIT = 2.0**-20
_SEED, _PRIME = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)

Codes = NDArray[np.int32]
Keys = NDArray[np.uint64]
"""Hashes of texts, which are too many to store. Of 300,000 logs with 10 million texts each, one has a collision."""
ListValues = Callable[[pa.ListArray], Values]
"""Function from lists of item ids to one value per list (n,), NaN if it has none."""


@dataclass(frozen=True, slots=True, eq=False)
class ExposureRows:
    """Exposures of the experiment (m,).

    Attributes:
        unit: codes of units.
        arm: codes of arms.
        request: keys of requests.
        timestamp: seconds since 1970 UTC.
        shown: number of items in the list.
        row: row number in the log.
        diversity: style diversity of the list, NaN if unknown; None if the logs do not have it.
        segments: codes and names by column.
    """

    unit: Codes
    arm: NDArray[np.int8]
    request: Keys
    timestamp: IntArray
    shown: Codes
    row: Codes
    diversity: Values | None
    segments: Mapping[str, tuple[Codes, tuple[str, ...]]]


@dataclass(frozen=True, slots=True, eq=False)
class EventRows:
    """Events of all units (e,), also of those that are in no experiment.

    Attributes:
        unit: codes of units.
        item: codes of items.
        kind: codes of `EVENT_CODES`; a purchase below 0 is a refund.
        timestamp: seconds since 1970 UTC.
        amount: amount of a purchase, NaN if missing; of a refund, what it takes back, 0 or below.
        dwell_s: seconds spent, NaN if missing.
        request: keys of requests, valid only if `answers`.
        answers: True if the event names a request.
        position: position in the list, from 1; 0 if missing.
        row: row number in the log.
    """

    unit: Codes
    item: Codes
    kind: NDArray[np.int8]
    timestamp: IntArray
    amount: Values
    dwell_s: Values
    request: Keys
    answers: BoolArray
    position: IntArray
    row: Codes


@dataclass(frozen=True, slots=True, eq=False)
class FeedbackRows:
    """Ratings of restyled images (f,)."""

    unit: Codes
    satisfied: BoolArray
    timestamp: IntArray


RowsOfLog = TypeVar("RowsOfLog", ExposureRows, EventRows, FeedbackRows)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Rows that are logged twice or mean nothing.

    An event repeats another one if unit, event id, item, kind and amount are the same, or, without an event id, all
    columns of the file. Of repeats the earliest counts.

    Attributes:
        events: repeated events, which count once.
        ratings: repeated ratings, which count once.
        differ: events that share an id with another event of the unit and differ from it; all of these count.
        empty_refunds: refunds without an amount, of which no earlier purchase is logged.
    """

    events: int
    ratings: int
    differ: int
    empty_refunds: int


@dataclass(frozen=True, slots=True, eq=False)
class ColumnarLogs:
    """Logs of one experiment.

    Attributes:
        arms: names of the arms by code.
        units: ids of the units by code, sorted.
        answered: keys of all requests in the log of exposures, sorted.
        exposures: exposures of the experiment.
        events: events of all units.
        feedback: ratings; None if there is no such log.
        files: names of the logs of exposures and events, for messages.
        repeats: rows that are logged twice and count once.
    """

    arms: tuple[str, ...]
    units: pa.StringArray
    answered: Keys
    exposures: ExposureRows
    events: EventRows
    feedback: FeedbackRows | None
    files: tuple[Path, Path]
    repeats: Repeats


def read_logs(experiment: Experiment, logs: Logs, diversity: ListValues | None = None) -> ColumnarLogs:
    """Read the logs of an experiment.

    Args:
        experiment: definition of the experiment.
        logs: sources of the logs.
        diversity: function that computes the style diversity of lists, for logs without that column.

    Raises:
        DataError: if the log has no exposure of the experiment.
        BadRowsError: if an exposure has an unknown arm or no unit.
    """
    arms = tuple(experiment.shares)
    shown, files = _Columns(), [Path("exposures"), Path("events")]
    for chunk in logs.exposures.chunks():
        files[0] = chunk.source.file
        _add_exposures(shown, chunk, experiment.key, arms, diversity)
    if not shown.rows("unit"):
        raise DataError(
            f"{files[0]}: no exposure of experiment {experiment.key!r}: is it running, is this its log, and do its "
            "arms change what is shown?"
        )
    done, rated = _Columns(), _Columns()
    for chunk in logs.events.chunks():
        files[1] = chunk.source.file
        columns, count = chunk.columns, len(chunk)
        requests = columns.get("request_id", pa.nulls(count, pa.string()))
        kinds = pc.index_in(columns["event"], pa.array(EVENT_CODES, pa.string())).cast(pa.int8())
        amounts = columns.get("amount", pa.nulls(count, pa.float64()))
        ids = columns.get("event_id", pa.nulls(count, pa.string()))
        done.add(
            id=pa.array(np.where(as_mask(ids.is_valid()), _keys(ids), np.uint64(0))),
            rest=pa.array(np.zeros(count, np.uint64) if chunk.rest is None else chunk.rest),
            unit=columns["unit"],
            item=columns["item_id"],
            kind=kinds,
            timestamp=columns["timestamp"],
            amount=amounts,
            dwell_s=columns.get("dwell_s", pa.nulls(count, pa.float64())),
            request=pa.array(_keys(requests)),
            answers=requests.is_valid(),
            position=pc.fill_null(columns.get("position", pa.nulls(count, pa.int64())), 0),
            row=pa.array(np.arange(count) + chunk.source.first_row, pa.int32()),
        )
    for chunk in () if logs.feedback is None else logs.feedback.chunks():
        rest = np.zeros(len(chunk), np.uint64) if chunk.rest is None else chunk.rest
        rated.add(**chunk.columns, rest=pa.array(rest))
    return _encode(arms, shown, done, None if logs.feedback is None else rated, (files[0], files[1]))


def select_rows(rows: RowsOfLog, kept: BoolArray | IntArray) -> RowsOfLog:
    """Return the rows of a mask or of row numbers; columns are arrays, pairs of codes and names by column, or None."""

    def part(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value[kept]
        if isinstance(value, dict):
            return {name: (codes[kept], names) for name, (codes, names) in value.items()}
        return value

    changes: dict[str, Any] = {one.name: part(getattr(rows, one.name)) for one in fields(rows)}
    return replace(rows, **changes)


def round_exact(values: Values) -> Values:
    """Round values to multiples of 2^-20, so that sums below 2^33 are exact and do not depend on the order of rows."""
    return np.rint(values / _UNIT) * _UNIT


@dataclass(slots=True)
class _Columns:
    """Columns that grow chunk by chunk."""

    parts: dict[str, list[pa.Array]] = field(default_factory=dict)

    def add(self, **columns: pa.Array) -> None:
        for name, values in columns.items():
            self.parts.setdefault(name, []).append(values)

    def rows(self, name: str) -> int:
        return sum(len(part) for part in self.parts.get(name, ()))

    def take(self, name: str, kind: pa.DataType) -> pa.ChunkedArray:
        """Return the whole column, and release it."""
        return pa.chunked_array(self.parts.pop(name, []), kind)

    def numbers(self, name: str, dtype: Any = np.float64) -> NDArray[Any]:
        parts = self.parts.pop(name, [])
        if not parts:
            return np.zeros(0, dtype=dtype)
        return np.concatenate([np.asarray(part.to_numpy(zero_copy_only=False), dtype=dtype) for part in parts])


def _add_exposures(target: _Columns, chunk: Chunk, key: str, arms: Sequence[str], diversity: ListValues | None) -> None:
    columns = chunk.columns
    own = pc.fill_null(pc.equal(columns["experiment"], key), False)
    rows = np.flatnonzero(own.to_numpy(zero_copy_only=False))
    named, units = columns["arm"].filter(own), columns["unit"].filter(own)
    codes = pc.index_in(named, pa.array(arms, pa.string()))
    problems: list[Problem] = []
    for index in np.flatnonzero(codes.is_null().to_numpy(zero_copy_only=False))[:100]:
        message = f"the experiment has no arm {named[int(index)].as_py()!r}; it has {', '.join(arms)}; is this its log?"
        problems.append(chunk.source.problem(int(rows[index]), "arm", message))
    for index in np.flatnonzero(units.is_null().to_numpy(zero_copy_only=False))[:100]:
        message = "an exposure without a unit; give the unit that was assigned, or leave the row out"
        problems.append(chunk.source.problem(int(rows[index]), "unit", message))
    if problems:
        raise BadRowsError(problems)
    lists = columns["items"].filter(own)
    target.add(
        answered=pa.array(keys := _keys(columns["request_id"])),
        request=pa.array(keys[rows]),
        unit=units,
        arm=codes.cast(pa.int8()),
        timestamp=columns["timestamp"].filter(own),
        shown=pc.list_value_length(lists).cast(pa.int32()),
        row=pa.array(rows + chunk.source.first_row, pa.int32()),
    )
    target.add(**{name: columns[name].filter(own) for name in SEGMENT_COLUMNS if name in columns})
    if "style_diversity" in columns:
        target.add(diversity=pc.fill_null(columns["style_diversity"].filter(own), float("nan")))
    elif diversity is not None:
        target.add(diversity=pa.array(diversity(lists)))


def _encode(
    arms: tuple[str, ...], shown: _Columns, done: _Columns, rated: _Columns | None, files: tuple[Path, Path]
) -> ColumnarLogs:
    text = pa.string()
    rating_units = pa.chunked_array([], text) if rated is None else rated.take("unit", text)
    (unit, event_unit, rating_unit), units = _encode_texts(
        shown.take("unit", text), done.take("unit", text), rating_units
    )
    # Codes follow the sorted ids, so that no sum depends on the order of rows.
    units = units.take(order := pc.sort_indices(units))
    rank = np.empty(len(units), dtype=np.int32)
    rank[np.asarray(order)] = np.arange(len(units), dtype=np.int32)
    exposures = ExposureRows(
        unit=rank[unit],
        arm=shown.numbers("arm", np.int8),
        request=shown.numbers("request", np.uint64),
        timestamp=shown.numbers("timestamp", np.int64),
        shown=shown.numbers("shown", np.int32),
        row=shown.numbers("row", np.int32),
        diversity=shown.numbers("diversity") if shown.rows("diversity") else None,
        segments={name: _segment(shown.take(name, text)) for name in SEGMENT_COLUMNS if shown.rows(name)},
    )
    (item,), _ = _encode_texts(done.take("item", text))
    events = EventRows(
        unit=rank[event_unit],
        item=item,
        kind=done.numbers("kind", np.int8),
        timestamp=done.numbers("timestamp", np.int64),
        amount=done.numbers("amount"),
        dwell_s=done.numbers("dwell_s"),
        request=done.numbers("request", np.uint64),
        answers=done.numbers("answers", np.bool_),
        position=done.numbers("position", np.int64),
        row=done.numbers("row", np.int32),
    )
    event_ids, rest = done.numbers("id", np.uint64), done.numbers("rest", np.uint64)
    events, repeated, differ = _drop_repeated_events(events, event_ids, rest)
    events, empty = _sign_refunds(events)
    feedback, ratings = None, 0
    if rated is not None:
        feedback = FeedbackRows(
            rank[rating_unit], rated.numbers("satisfied", np.bool_), rated.numbers("timestamp", np.int64)
        )
        keys = _mix(feedback.unit, feedback.satisfied, feedback.timestamp, rated.numbers("rest", np.uint64))
        keep = _first_of_each(keys, feedback.timestamp)
        ratings = len(keys) - len(keep)
        feedback = feedback if not ratings else select_rows(feedback, keep)
    answered = np.sort(shown.numbers("answered", np.uint64))
    repeats = Repeats(repeated, ratings, differ, empty)
    return ColumnarLogs(arms, units, answered, exposures, events, feedback, files, repeats)


def _sign_refunds(events: EventRows) -> tuple[EventRows, int]:
    """Return the events with refunds as amounts of 0 or below, and the number of refunds that take back nothing.

    A purchase with an amount below 0 becomes a refund. A refund without an amount takes back that of the unit's latest
    purchase of the item before it.
    """
    purchases = events.kind == KINDS.index(EventKind.PURCHASE)
    refunds = (events.kind == REFUNDS) | (purchases & (events.amount < 0.0))
    if not refunds.any():
        return events, 0
    amount = np.where(refunds, -np.abs(events.amount), events.amount)
    open_ended = refunds & np.isnan(amount)
    if open_ended.any():
        sold = purchases & ~refunds
        rows = np.flatnonzero(sold | open_ended)
        # In order of unit, item and time; a refund of the same second comes after the purchase.
        rows = rows[np.lexsort((open_ended[rows], events.timestamp[rows], events.item[rows], events.unit[rows]))]
        latest = np.maximum.accumulate(np.where(sold[rows], np.arange(len(rows)), -1))
        before = rows[np.maximum(latest, 0)]
        known = (latest >= 0) & (events.unit[before] == events.unit[rows]) & (events.item[before] == events.item[rows])
        asked = open_ended[rows]
        amount[rows[asked]] = np.where(known, -np.nan_to_num(events.amount[before]), np.nan)[asked]
    kind = np.where(refunds, REFUNDS, events.kind).astype(np.int8)
    unknown = refunds & np.isnan(amount)
    return replace(events, kind=kind, amount=np.where(unknown, 0.0, amount)), int(unknown.sum())


def _drop_repeated_events(events: EventRows, ids: Keys, rest: Keys) -> tuple[EventRows, int, int]:
    """Return the events without repeats, the number of repeats, and of events that share an id and differ."""
    content = _mix(events.unit, events.item, events.kind, events.amount)
    request = np.where(events.answers, events.request, np.uint64(0))
    keys = _mix(content, ids)
    without = ids == 0
    if without.any():
        whole = _mix(content, events.timestamp, events.dwell_s, request, events.position, rest)
        keys = np.where(without, whole, keys)
    keep = _first_of_each(keys, events.timestamp)
    repeated = len(keys) - len(keep)
    differ = 0
    if not without.all():
        named = keep[~without[keep]]
        differ = len(named) - len(np.unique(_mix(events.unit[named], ids[named])))
    return (select_rows(events, keep) if repeated else events), repeated, differ


def _mix(*columns: np.ndarray) -> Keys:
    """Return one key per row for several columns (n,) of numbers."""
    keys = np.full(len(columns[0]), _SEED, dtype=np.uint64)
    for column in columns:
        bits = column.view(np.uint64) if column.dtype.itemsize == 8 else column.astype(np.int64).view(np.uint64)
        keys = (keys ^ bits) * _PRIME
        keys ^= keys >> np.uint64(29)
    return keys


def _first_of_each(keys: Keys, timestamp: IntArray) -> IntArray:
    """Return the rows, in order, of the earliest of each key."""
    order = np.argsort(keys)
    if not (keys[order][1:] == keys[order][:-1]).any():
        return np.arange(len(keys))
    order = np.lexsort((timestamp, keys))
    first = np.concatenate([[True], keys[order][1:] != keys[order][:-1]])
    return np.sort(order[first])


def _encode_texts(*columns: pa.ChunkedArray) -> tuple[list[Codes], pa.StringArray]:
    """Return the codes of each column's texts, `NO_CODE` for null, and the texts by code."""
    whole = pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())
    encoded = whole.dictionary_encode()
    if encoded.num_chunks == 0:
        return [np.zeros(0, dtype=np.int32) for _ in columns], pa.array([], pa.string())
    encoded = encoded.unify_dictionaries()
    indices = (pc.fill_null(chunk.indices, NO_CODE) for chunk in encoded.chunks)
    codes = np.concatenate([np.asarray(one.to_numpy(zero_copy_only=False), dtype=np.int32) for one in indices])
    ends = np.cumsum([len(column) for column in columns])
    return np.split(codes, ends[:-1]), encoded.chunk(0).dictionary


def _keys(texts: pa.StringArray) -> Keys:
    """Return the SipHash of each text."""
    return np.asarray(hash_array(texts.to_numpy(zero_copy_only=False), categorize=False), dtype=np.uint64)


def _segment(column: pa.ChunkedArray) -> tuple[Codes, tuple[str, ...]]:
    (codes,), names = _encode_texts(column)
    order = pc.sort_indices(names)
    # One entry more than names: code -1, for no value, indexes the last one.
    rank = np.empty(len(names) + 1, dtype=np.int32)
    rank[np.asarray(order)] = np.arange(len(names), dtype=np.int32)
    rank[NO_CODE] = NO_CODE
    return rank[codes], tuple(names.take(order).to_pylist())

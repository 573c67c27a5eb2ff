"""Logs as numbers: one pass over each log keeps of every row what the analysis needs, some 40 bytes of an exposure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandas.util import hash_array

from recsys.errors import BadRowsError, DataError, Problem
from recsys.experiments.analysis.log_sources import Chunk, Logs
from recsys.experiments.design.definition import Experiment
from recsys.experiments.stats.moments import Values
from recsys.schema import BoolArray, EventKind, IntArray

KINDS = tuple(EventKind)
SEGMENT_COLUMNS = ("platform", "category")
NOTHING = -1
"""In codes: no such value."""
_UNIT = 2.0**-20

Codes = NDArray[np.int32]
Keys = NDArray[np.uint64]
"""Hashes of texts, of which there are too many to keep: two of 10 million are alike in one log of 300,000."""
ListValues = Callable[[pa.ListArray], Values]
"""One value for each list of item ids (n,), NaN where it has none."""


@dataclass(frozen=True, slots=True, eq=False)
class ExposureRows:
    """The experiment's exposures (m,): codes of units and arms, keys of requests, seconds, items shown.

    `diversity`: of each list, NaN where unknown; None where nothing says it. `segments`: codes and names by column.
    `row`: its number in the log.
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
    """All events (e,): codes of units, items and of `KINDS`, keys of requests where they name one (`answers`).

    Amounts and dwell times are NaN, positions 0, where nothing is given.
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
    """All verdicts (f,)."""

    unit: Codes
    satisfied: BoolArray
    timestamp: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class ColumnarLogs:
    """Logs of one experiment. `units`: ids by code, sorted. `answered`: keys of all requests in the log, sorted.

    `files`: where exposures and events come from, for messages.
    """

    arms: tuple[str, ...]
    units: pa.StringArray
    answered: Keys
    exposures: ExposureRows
    events: EventRows
    feedback: FeedbackRows | None
    files: tuple[Path, Path]


def gather(experiment: Experiment, logs: Logs, diversity: ListValues | None = None) -> ColumnarLogs:
    """Read the logs. `diversity` gives a list's variety where the log has no column for it.

    Raises DataError without exposures of the experiment, BadRowsError for arms it does not have or without a unit.
    """
    arms = tuple(experiment.shares)
    shown, files = _Columns(), [Path("exposures"), Path("events")]
    for chunk in logs.exposures.chunks():
        files[0] = chunk.place.file
        _keep_exposures(shown, chunk, experiment.key, arms, diversity)
    if not shown.rows("unit"):
        raise DataError(
            f"{files[0]}: no exposure of experiment {experiment.key!r}: is it running, is this its log, and does its "
            "treatment change what is shown?"
        )
    done, judged = _Columns(), _Columns()
    for chunk in logs.events.chunks():
        files[1] = chunk.place.file
        _keep_events(done, chunk)
    for chunk in () if logs.feedback is None else logs.feedback.chunks():
        judged.add(**chunk.columns)
    return _coded(arms, shown, done, None if logs.feedback is None else judged, (files[0], files[1]))


def exact(values: Values) -> Values:
    """Values to the nearest 2^-20, so that sums below 2^33 are exact, and do not depend on the order of rows."""
    return np.rint(values / _UNIT) * _UNIT


@dataclass(slots=True)
class _Columns:
    """Columns that grow by chunks."""

    parts: dict[str, list[pa.Array]] = field(default_factory=dict)

    def add(self, **columns: pa.Array) -> None:
        for name, values in columns.items():
            self.parts.setdefault(name, []).append(values)

    def rows(self, name: str) -> int:
        return sum(len(part) for part in self.parts.get(name, ()))

    def take(self, name: str, kind: pa.DataType) -> pa.ChunkedArray:
        """The whole column, which is given up here."""
        return pa.chunked_array(self.parts.pop(name, []), kind)

    def numbers(self, name: str, dtype: Any = np.float64) -> NDArray[Any]:
        parts = self.parts.pop(name, [])
        if not parts:
            return np.zeros(0, dtype=dtype)
        return np.concatenate([np.asarray(part.to_numpy(zero_copy_only=False), dtype=dtype) for part in parts])


def _keep_exposures(kept: _Columns, chunk: Chunk, key: str, arms: Sequence[str], diversity: ListValues | None) -> None:
    columns = chunk.columns
    own = pc.fill_null(pc.equal(columns["experiment"], key), False)
    rows = np.flatnonzero(own.to_numpy(zero_copy_only=False))
    codes = pc.index_in(columns["arm"].filter(own), pa.array(arms, pa.string()))
    units = columns["unit"].filter(own)
    _check_exposures(chunk, rows, columns["arm"].filter(own), codes, units, arms)
    lists = columns["items"].filter(own)
    kept.add(
        answered=pa.array(keys := _keys(columns["request_id"])),
        request=pa.array(keys[rows]),
        unit=units,
        arm=codes.cast(pa.int8()),
        timestamp=columns["timestamp"].filter(own),
        shown=pc.list_value_length(lists).cast(pa.int32()),
        row=pa.array(rows + chunk.place.first_row, pa.int32()),
    )
    kept.add(**{name: columns[name].filter(own) for name in SEGMENT_COLUMNS if name in columns})
    if "style_diversity" in columns:
        kept.add(diversity=pc.fill_null(columns["style_diversity"].filter(own), float("nan")))
    elif diversity is not None:
        kept.add(diversity=pa.array(diversity(lists)))


def _check_exposures(
    chunk: Chunk, rows: IntArray, named: pa.Array, codes: pa.Array, units: pa.Array, arms: Sequence[str]
) -> None:
    problems: list[Problem] = []
    for place in np.flatnonzero(codes.is_null().to_numpy(zero_copy_only=False))[:100]:
        message = f"the experiment has no arm {named[int(place)].as_py()!r}; it has {', '.join(arms)}; is this its log?"
        problems.append(chunk.place.problem(int(rows[place]), "arm", message))
    for place in np.flatnonzero(units.is_null().to_numpy(zero_copy_only=False))[:100]:
        message = "an exposure without a unit; give the unit that was assigned, or leave the row out"
        problems.append(chunk.place.problem(int(rows[place]), "unit", message))
    if problems:
        raise BadRowsError(problems)


def _keep_events(kept: _Columns, chunk: Chunk) -> None:
    columns, count = chunk.columns, len(chunk)
    requests = columns.get("request_id", pa.nulls(count, pa.string()))
    kept.add(
        unit=columns["unit"],
        item=columns["item_id"],
        kind=pc.index_in(columns["event"], pa.array(KINDS, pa.string())).cast(pa.int8()),
        timestamp=columns["timestamp"],
        amount=columns.get("amount", pa.nulls(count, pa.float64())),
        dwell_s=columns.get("dwell_s", pa.nulls(count, pa.float64())),
        request=pa.array(_keys(requests)),
        answers=requests.is_valid(),
        position=pc.fill_null(columns.get("position", pa.nulls(count, pa.int64())), 0),
        row=pa.array(np.arange(count) + chunk.place.first_row, pa.int32()),
    )


def _coded(
    arms: tuple[str, ...], shown: _Columns, done: _Columns, judged: _Columns | None, files: tuple[Path, Path]
) -> ColumnarLogs:
    text = pa.string()
    verdict_units = pa.chunked_array([], text) if judged is None else judged.take("unit", text)
    (unit, event_unit, verdict_unit), units = _encoded(shown.take("unit", text), done.take("unit", text), verdict_units)
    # Ids in their own order, so that no sum depends on the order of rows.
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
    (item,), _ = _encoded(done.take("item", text))
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
    feedback = None
    if judged is not None:
        feedback = FeedbackRows(
            rank[verdict_unit], judged.numbers("satisfied", np.bool_), judged.numbers("timestamp", np.int64)
        )
    answered = np.sort(shown.numbers("answered", np.uint64))
    return ColumnarLogs(arms, units, answered, exposures, events, feedback, files)


def _encoded(*columns: pa.ChunkedArray) -> tuple[list[Codes], pa.StringArray]:
    """Codes of each column's texts, `NOTHING` for null, and the texts by code."""
    whole = pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())
    encoded = whole.dictionary_encode()
    if encoded.num_chunks == 0:
        return [np.zeros(0, dtype=np.int32) for _ in columns], pa.array([], pa.string())
    encoded = encoded.unify_dictionaries()
    codes = np.concatenate([_indices(chunk) for chunk in encoded.chunks])
    ends = np.cumsum([len(column) for column in columns])
    return np.split(codes, ends[:-1]), encoded.chunk(0).dictionary


def _indices(chunk: pa.DictionaryArray) -> Codes:
    filled = pc.fill_null(chunk.indices, NOTHING)
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.int32)


def _keys(texts: pa.StringArray) -> Keys:
    """SipHash of each text."""
    return np.asarray(hash_array(texts.to_numpy(zero_copy_only=False), categorize=False), dtype=np.uint64)


def _segment(column: pa.ChunkedArray) -> tuple[Codes, tuple[str, ...]]:
    (codes,), names = _encoded(column)
    order = pc.sort_indices(names)
    rank = np.empty(len(names) + 1, dtype=np.int32)
    rank[np.asarray(order)] = np.arange(len(names), dtype=np.int32)
    rank[NOTHING] = NOTHING
    return rank[codes], tuple(names.take(order).to_pylist())

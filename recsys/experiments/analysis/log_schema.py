"""Schema of logs, the same for all sources: columns, their types and ranges, and the rows that break them.

Ids are text, times are whole seconds since 1970 UTC. A file may have more columns; they are not read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.errors import BadRowsError, DataError, Problem
from recsys.schema import BoolArray, EventKind

FAR_FUTURE = 100_000_000_000
"""Largest time in seconds; larger numbers are milliseconds."""
_PROBLEMS = 100
_WHOLE = r"^[+-]?\d{1,18}$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"


class Kind(StrEnum):
    """Type of a column's values."""

    TEXT = "text"
    WHOLE = "a whole number"
    NUMBER = "a finite number"
    TRUTH = "true or false"
    TEXTS = "a list of texts (in CSV a JSON list)"


_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.WHOLE: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.TRUTH: pa.bool_(),
    Kind.TEXTS: pa.list_(pa.string()),
}


@dataclass(frozen=True, slots=True)
class Column:
    """Column of a log.

    Attributes:
        name: name of the column.
        kind: type of its values.
        needed: True if the log must have the column.
        filled: True if no value may be missing.
        low: smallest value.
        high: largest value.
        words: allowed words; empty for any text.
        also: second accepted name.
    """

    name: str
    kind: Kind
    needed: bool = False
    filled: bool = False
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()
    also: str = ""


_TIME = Column("timestamp", Kind.WHOLE, needed=True, filled=True, low=0, high=FAR_FUTURE)
EXPOSURES = (
    Column("request_id", Kind.TEXT, needed=True, filled=True),
    Column("unit", Kind.TEXT, needed=True, also="user_id"),
    _TIME,
    Column("experiment", Kind.TEXT, needed=True),
    Column("arm", Kind.TEXT, needed=True),
    Column("items", Kind.TEXTS, needed=True, filled=True),
    Column("style_diversity", Kind.NUMBER, low=0, high=2),
    Column("platform", Kind.TEXT),
    Column("category", Kind.TEXT),
)
"""Exposures: one row for each list and experiment. Lists outside of experiments have neither experiment nor arm; keep
them, because an event that names none of all requests shows that exposures were lost. `style_diversity` is for the
metric of that name, `platform` and `category` are for segments."""
EVENTS = (
    Column("unit", Kind.TEXT, needed=True, filled=True, also="user_id"),
    Column("item_id", Kind.TEXT, needed=True, filled=True),
    Column("event", Kind.TEXT, needed=True, filled=True, words=tuple(EventKind)),
    _TIME,
    Column("amount", Kind.NUMBER, low=0),
    Column("dwell_s", Kind.NUMBER, low=0),
    Column("request_id", Kind.TEXT),
    Column("position", Kind.WHOLE, low=1),
)
"""Events, also from before the experiment: CUPED adjusts by them. Positions count from 1."""
FEEDBACK = (
    Column("unit", Kind.TEXT, needed=True, filled=True, also="user_id"),
    Column("satisfied", Kind.TRUTH, needed=True, filled=True),
    _TIME,
)
"""Ratings of restyled images."""


@dataclass(frozen=True, slots=True)
class RowSource:
    """Source of rows: a file (or a table of the database), and the number of the first row."""

    file: Path
    first_row: int

    def problem(self, row: int, column: str, message: str) -> Problem:
        """Return the problem of row `row`, counted from 0 within these rows."""
        return Problem(self.file, self.first_row + row, column, message)


Columns = Mapping[str, pa.Array]


def match_columns(columns: Sequence[Column], header: Sequence[str], file: Path) -> dict[str, str]:
    """Return the file's name of each column that it has, by the schema's name.

    Raises:
        DataError: if a needed column is missing.
    """
    found = {}
    for column in columns:
        spelled = next((name for name in (column.name, column.also) if name and name in header), None)
        if spelled is not None:
            found[column.name] = spelled
        elif column.needed:
            known = ", ".join(header) or "none"
            raise DataError(f"{file}: no column {column.name!r}; it has: {known}; add or rename the column")
    return found


def validate_columns(columns: Sequence[Column], raw: Columns, source: RowSource) -> dict[str, pa.Array]:
    """Convert columns to their types and check their ranges.

    Args:
        columns: schema of the log.
        raw: columns by the schema's names.
        source: source of the rows, for messages.

    Raises:
        BadRowsError: naming file, row and column of the first problems.
    """
    problems: list[Problem] = []
    good = {}
    for column in columns:
        if column.name not in raw:
            continue
        texts = raw[column.name]
        values, wrong = _convert(column, texts, source)
        message = f"is not {column.kind}; correct it or leave it out"
        problems += [
            source.problem(int(row), column.name, f"{texts[int(row)].as_py()!r:.60} {message}")
            for row in np.flatnonzero(wrong)[:_PROBLEMS]
        ]
        outside = []
        if column.filled and values.null_count:
            empty = pc.and_(values.is_null(), pa.array(~wrong))
            outside.append((empty, "is empty; fill it, or leave the row out"))
        if column.low is not None:
            outside.append((pc.less(values, column.low), f"is below {column.low:g}; correct it"))
        if column.high is not None:
            cure = "; these seem to be milliseconds: give seconds" if column.high == FAR_FUTURE else "; correct it"
            outside.append((pc.greater(values, column.high), f"is above {column.high:g}{cure}"))
        if column.words:
            unknown = pc.and_(pc.invert(pc.is_in(values, pa.array(column.words))), values.is_valid())
            outside.append((unknown, f"is none of {', '.join(column.words)}; rename it or leave the row out"))
        for mask, message in outside:
            problems += [
                source.problem(int(row), column.name, message) for row in np.flatnonzero(_true(mask))[:_PROBLEMS]
            ]
        good[column.name] = values
    if problems:
        raise BadRowsError(problems)
    return good


def _convert(column: Column, raw: pa.Array, source: RowSource) -> tuple[pa.Array, BoolArray]:
    """Return values of the column's type, null if missing or wrong, and a mask of the wrong ones."""
    if pa.types.is_dictionary(raw.type):
        raw = raw.dictionary_decode()
    if pa.types.is_null(raw.type):
        return pa.nulls(len(raw), _TYPES[column.kind]), np.zeros(len(raw), dtype=np.bool_)
    try:
        values = _CONVERT[column.kind](raw)
    except (pa.ArrowException, TypeError):
        raise DataError(
            f"{source.file}: column {column.name!r} is of type {raw.type}, expected {column.kind}; convert it"
        ) from None
    return values, _true(pc.and_(raw.is_valid(), values.is_null()))


def _text(raw: pa.Array) -> pa.Array:
    return raw if pa.types.is_string(raw.type) else raw.cast(pa.string())


def _whole(raw: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(raw.type):
        raw = raw.cast(pa.timestamp("s", raw.type.tz), safe=False)
    if pa.types.is_floating(raw.type):
        raw = pc.if_else(pc.and_(pc.is_finite(raw), pc.equal(raw, pc.floor(raw))), raw, None)
    return _matching(raw, _WHOLE).cast(pa.int64())


def _number(raw: pa.Array) -> pa.Array:
    values = _matching(raw, _NUMBER).cast(pa.float64())
    # Frames of pandas use NaN for missing values.
    return pc.if_else(pc.is_finite(values), values, None)


def _truth(raw: pa.Array) -> pa.Array:
    if pa.types.is_integer(raw.type):
        raw = raw.cast(pa.string())
    return _matching(raw, r"(?i)^(true|false|0|1)$").cast(pa.bool_())


def _texts(raw: pa.Array) -> pa.Array:
    if pa.types.is_list(raw.type) or pa.types.is_large_list(raw.type):
        return raw.cast(_TYPES[Kind.TEXTS])
    lists: list[list[str] | None] = []
    for text in raw.to_pylist():
        try:
            value = json.loads(text) if text is not None else None
        except json.JSONDecodeError:
            value = None
        lists.append([str(item) for item in value] if isinstance(value, list) else None)
    return pa.array(lists, _TYPES[Kind.TEXTS])


_CONVERT = {
    Kind.TEXT: _text,
    Kind.WHOLE: _whole,
    Kind.NUMBER: _number,
    Kind.TRUTH: _truth,
    Kind.TEXTS: _texts,
}


def _matching(raw: pa.Array, pattern: str) -> pa.Array:
    """Return texts that match, null for other texts; arrays of other types are returned as they are."""
    if not (pa.types.is_string(raw.type) or pa.types.is_large_string(raw.type)):
        return raw
    trimmed = pc.utf8_trim_whitespace(raw)
    return pc.if_else(pc.match_substring_regex(trimmed, pattern), trimmed, pa.scalar(None, trimmed.type))


def _true(mask: pa.Array) -> BoolArray:
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=np.bool_)

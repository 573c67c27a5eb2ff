"""Schema of logs, the same for all sources: columns, their types and ranges, and the rows that break them.

Ids are text, times are whole seconds since 1970 UTC. A file may have more columns; they are not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.columns import INTERACTION_FIELDS
from recsys.dataset.importers.columns import match_columns as match_names
from recsys.dataset.importers.table import Customs
from recsys.errors import BadRowsError, DataError, Problem
from recsys.experiments.analysis.log_values import Kind, as_mask, convert, describe_wrong
from recsys.schema import EVENT, ITEM_ID, TIMESTAMP, USER_ID

_PROBLEMS = 100


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
        also: other accepted names.
    """

    name: str
    kind: Kind
    needed: bool = False
    filled: bool = False
    low: float | None = None
    high: float | None = None
    also: tuple[str, ...] = ()


_UNIT_NAMES = (USER_ID, *INTERACTION_FIELDS[USER_ID], "unit_id")
_REQUEST_NAMES = ("request", "list_id", "impression_id", "recommendation_id")
_TIME = Column("timestamp", Kind.TIME, needed=True, filled=True, also=INTERACTION_FIELDS[TIMESTAMP])
EXPOSURES = (
    Column("request_id", Kind.TEXT, needed=True, filled=True, also=_REQUEST_NAMES),
    Column("unit", Kind.TEXT, needed=True, also=_UNIT_NAMES),
    _TIME,
    Column("experiment", Kind.TEXT, needed=True, also=("experiment_key", "experiment_id", "experiment_name", "test")),
    Column("arm", Kind.TEXT, needed=True, also=("variant", "group", "variation", "bucket", "test_group", "ab_group")),
    Column("items", Kind.TEXTS, needed=True, filled=True, also=("item_ids", "products", "product_ids", "shown_items")),
    Column("style_diversity", Kind.NUMBER, low=0, high=2),
    Column("platform", Kind.TEXT),
    Column("category", Kind.TEXT),
)
"""Exposures: one row for each list and experiment. Lists outside of experiments have neither experiment nor arm; keep
them, because an event that names none of all requests shows that exposures were lost. `style_diversity` is for the
metric of that name, `platform` and `category` are for segments."""
EVENTS = (
    Column("unit", Kind.TEXT, needed=True, filled=True, also=_UNIT_NAMES),
    Column("item_id", Kind.TEXT, needed=True, filled=True, also=INTERACTION_FIELDS[ITEM_ID]),
    Column("event", Kind.EVENT, needed=True, filled=True, also=INTERACTION_FIELDS[EVENT]),
    _TIME,
    Column("amount", Kind.NUMBER, also=("revenue", "value", "total", "order_value", "total_price")),
    Column("dwell_s", Kind.NUMBER, low=0, also=("dwell_seconds",)),
    Column("request_id", Kind.TEXT, also=_REQUEST_NAMES),
    Column("position", Kind.WHOLE, low=1),
    Column("event_id", Kind.TEXT, also=("event_uuid", "uuid", "message_id", "insert_id")),
)
"""Events, also from before the experiment: CUPED adjusts by them. Positions count from 1. A purchase with an amount
below 0 is a refund."""
FEEDBACK = (
    Column("unit", Kind.TEXT, needed=True, filled=True, also=_UNIT_NAMES),
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


def match_columns(
    columns: Sequence[Column], header: Sequence[str], file: Path, renames: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the file's name of each column that it has, by the schema's name.

    Case, spaces and hyphens do not matter; other names are those of `renames`, then of `Column.also`.

    Raises:
        DataError: if a needed column is missing, or two columns would be one.
    """
    found = match_names(file, header, {column.name: column.also for column in columns}, renames or {}).fields
    for column in columns:
        if column.needed and column.name not in found:
            known = ", ".join(header) or "none"
            raise DataError(
                f"{file}: no column {column.name!r}; it has: {known}; add the column, or name it: "
                f"`--column YOURS={column.name}`"
            )
    return found


def validate_columns(
    columns: Sequence[Column], raw: Columns, source: RowSource, customs: Customs
) -> tuple[dict[str, pa.Array], tuple[str, ...]]:
    """Convert columns to their types and check their ranges.

    Args:
        columns: schema of the log.
        raw: columns by the schema's names.
        source: source of the rows, for messages.
        customs: ways of writing values that are known; columns show the others.

    Returns:
        The columns, and sentences about guesses.

    Raises:
        BadRowsError: naming file, row and column of the first problems.
    """
    problems: list[Problem] = []
    good: dict[str, pa.Array] = {}
    notes: list[str] = []
    for column in columns:
        if column.name not in raw:
            continue
        cells = raw[column.name]
        try:
            converted = convert(column.kind, cells, f"{source.file}, column {column.name!r}", customs)
        except (pa.ArrowException, TypeError):
            raise DataError(
                f"{source.file}: column {column.name!r} is of type {cells.type}, expected {column.kind}; convert it"
            ) from None
        values, wrong = converted.values, converted.wrong
        notes += converted.notes
        rows = np.flatnonzero(wrong)[:_PROBLEMS]
        texts = [describe_wrong(column.kind, cells[int(row)].as_py()) for row in rows]
        problems += [source.problem(int(row), column.name, text) for row, text in zip(rows, texts, strict=True)]
        outside = []
        if column.filled and values.null_count:
            outside.append((as_mask(values.is_null()) & ~wrong, "is empty; fill it, or leave the row out"))
        if column.low is not None:
            outside.append((as_mask(pc.less(values, column.low)), f"is below {column.low:g}; correct it"))
        if column.high is not None:
            outside.append((as_mask(pc.greater(values, column.high)), f"is above {column.high:g}; correct it"))
        for mask, text in outside:
            for row in np.flatnonzero(mask)[:_PROBLEMS]:
                value = cells[int(row)].as_py()
                given = "" if value is None else f"{value!r:.60} "
                problems.append(source.problem(int(row), column.name, given + text))
        good[column.name] = values
    if problems:
        raise BadRowsError(problems)
    return good, tuple(notes)

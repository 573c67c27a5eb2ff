"""Source files as text columns with line numbers, and the record of their bad rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.dataset.importers.values.ids import describe_id, parse_ids
from recsys.dataset.importers.values.numbers import POINT, parse_numbers
from recsys.dataset.importers.values.times import DateOrder, parse_times
from recsys.errors import DataError, Problem
from recsys.schema import ITEM_GROUP_ID, ITEM_ID, USER_ID, BoolArray, IntArray

_IDS = (ITEM_ID, USER_ID, ITEM_GROUP_ID)


@dataclass(frozen=True, slots=True)
class Reject:
    """Problem of one row, and the row's text in the file."""

    problem: Problem
    raw: str


@dataclass(frozen=True, slots=True)
class Customs:
    """Ways of writing values in a file.

    Attributes:
        decimal: decimal sign, "." or ",", if known for certain.
        suggested: decimal sign that the file suggests; used if a column does not show its own.
        dates: order of day and month in dates that end with the year; None: each column shows its own.
    """

    decimal: str = ""
    suggested: str = ""
    dates: DateOrder | None = None


@dataclass(frozen=True, slots=True)
class RawTable:
    """Contents of a file before any check.

    Attributes:
        path: the file.
        columns: text of N rows by the file's own column names, trimmed, "" if empty.
        lines: `(N,)` line on which each row begins, 1-based (row number in a Parquet file).
        text_columns: columns that the file declares as text; they stay text even if they look like numbers.
        rejects: rows that could not be split.
        float_columns: columns that the file stores as floats; ids in them may have lost digits.
        number_columns: columns that the file stores as numbers, so that their decimal sign is the point.
        customs: ways of writing numbers and dates.
        notes: sentences about how the file was read.
        format: name of the file's format, "" for a DataFrame.
        source_names: names of the columns in the file, if its format has other ones.
        names_titles: some rows name items by title, since the shop system has no other key for them.
    """

    path: Path
    columns: dict[str, pa.StringArray]
    lines: IntArray
    text_columns: frozenset[str] = frozenset()
    rejects: list[Reject] = field(default_factory=list)
    float_columns: frozenset[str] = frozenset()
    number_columns: frozenset[str] = frozenset()
    customs: Customs = Customs()
    notes: tuple[str, ...] = ()
    format: str = ""
    source_names: tuple[str, ...] = ()
    names_titles: bool = False

    def __len__(self) -> int:
        return len(self.lines)

    def with_notes(self, *notes: str) -> RawTable:
        """Return the table with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def raw(self, row: int) -> str:
        """Return one row as a line of CSV."""
        return csv_line([column[row].as_py() for column in self.columns.values()])


class RowCheck:
    """Collects the bad rows of one table, and notes about guesses.

    `names` maps the project's fields to the file's columns. Ids are brought into one form at once.
    """

    def __init__(self, table: RawTable, names: dict[str, str]) -> None:
        self.table = table
        self.names = names
        self.bad: BoolArray = np.zeros(len(table), dtype=np.bool_)
        self.rejects: list[Reject] = list(table.rejects)
        self.notes: list[str] = list(table.notes)
        self._ids: dict[str, pa.StringArray] = {}
        for name in _IDS:
            if name in names:
                self._check_ids(name)

    def column(self, name: str) -> pa.StringArray | None:
        """Return the text of a field, or None if the file does not have it."""
        if name in self._ids:
            return self._ids[name]
        return self.table.columns[self.names[name]] if name in self.names else None

    def replace(self, name: str, column: pa.StringArray) -> None:
        """Replace the text of an id's field."""
        self._ids[name] = column

    def require(self, name: str) -> pa.StringArray:
        """Return the text of a field. Raises DataError if the file does not have it."""
        column = self.column(name)
        if column is None:
            raise DataError(
                f"{self.table.path}: no column for {name!r}; the first line must be a header, and has the columns "
                f"{', '.join(self.table.columns)}. Rename one of them: `--column YOURS={name}`"
            )
        return column

    def numbers(self, name: str) -> tuple[NDArray[np.float64], BoolArray]:
        """Parse a field as numbers `(N,)`, NaN if unreadable, and a mask of the unreadable or empty ones.

        Raises DataError if the file does not have the field, or if its decimal sign cannot be decided.
        """
        column = self.require(name)
        customs = self.table.customs
        decimal = POINT if self.names[name] in self.table.number_columns else customs.decimal
        values, bad, notes = parse_numbers(column, decimal, customs.suggested, self._where(name))
        self.notes += notes
        return values, bad

    def times(self, name: str) -> tuple[IntArray, BoolArray]:
        """Parse a field as seconds since 1970 UTC `(N,)`, and a mask of the unreadable or empty ones.

        Raises DataError if the file does not have the field, or if day and month cannot be told apart.
        """
        seconds, bad, notes = parse_times(self.require(name), self.table.customs.dates, self._where(name))
        self.notes += notes
        return seconds, bad

    def flag(self, rows: BoolArray, name: str, message: Callable[[str], str]) -> None:
        """Mark rows `(N,)` as bad in one field; `message` builds the text from the bad value."""
        column = self.require(name)
        self.bad |= rows
        for row in np.flatnonzero(rows).tolist():
            problem = Problem(
                self.table.path, int(self.table.lines[row]), self.names[name], message(column[row].as_py())
            )
            self.rejects.append(Reject(problem, self.table.raw(row)))

    def _check_ids(self, name: str) -> None:
        source = self.names[name]
        ids, bad, notes = parse_ids(self.table.columns[source], source in self.table.float_columns, self._where(name))
        self._ids[name] = ids
        self.notes += notes
        self.flag(bad, name, describe_id)

    def _where(self, name: str) -> str:
        return f"{self.table.path}, column {self.names[name]!r}"


def csv_line(values: Sequence[str]) -> str:
    """Format values as one line of CSV, without the line end."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(values)
    return buffer.getvalue()

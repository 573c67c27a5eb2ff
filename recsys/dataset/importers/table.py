"""Source files as text columns with line numbers, and the record of their bad rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsys.errors import DataError, Problem
from recsys.schema import BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class Reject:
    """Problem of one row, and the row's text in the file."""

    problem: Problem
    raw: str


@dataclass(frozen=True, slots=True)
class RawTable:
    """Contents of a file before any check.

    Attributes:
        path: the file.
        columns: text of N rows by the file's own column names, trimmed, "" if empty.
        lines: `(N,)` line on which each row begins, 1-based (row number in a Parquet file).
        text_columns: columns that the file declares as text; they stay text even if they look like numbers.
        rejects: rows that could not be split.
    """

    path: Path
    columns: dict[str, pa.StringArray]
    lines: IntArray
    text_columns: frozenset[str] = frozenset()
    rejects: list[Reject] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    def raw(self, row: int) -> str:
        """Return one row as a line of CSV."""
        return csv_line([column[row].as_py() for column in self.columns.values()])


class RowCheck:
    """Collects the bad rows of one table. `names` maps the project's fields to the file's columns."""

    def __init__(self, table: RawTable, names: dict[str, str]) -> None:
        self.table = table
        self.names = names
        self.bad: BoolArray = np.zeros(len(table), dtype=np.bool_)
        self.rejects: list[Reject] = list(table.rejects)

    def column(self, name: str) -> pa.StringArray | None:
        """Return the text of a field, or None if the file does not have it."""
        return self.table.columns[self.names[name]] if name in self.names else None

    def require(self, name: str) -> pa.StringArray:
        """Return the text of a field. Raises DataError if the file does not have it."""
        column = self.column(name)
        if column is None:
            raise DataError(
                f"{self.table.path}: no column for {name!r}; the first line must be a header, and has the columns "
                f"{', '.join(self.table.columns)}. Rename one of them: `--column YOURS={name}`"
            )
        return column

    def flag(self, rows: BoolArray, name: str, message: Callable[[str], str]) -> None:
        """Mark rows `(N,)` as bad in one field; `message` builds the text from the bad value."""
        column = self.require(name)
        self.bad |= rows
        for row in np.flatnonzero(rows).tolist():
            problem = Problem(
                self.table.path, int(self.table.lines[row]), self.names[name], message(column[row].as_py())
            )
            self.rejects.append(Reject(problem, self.table.raw(row)))


def csv_line(values: Sequence[str]) -> str:
    """Format values as one line of CSV, without the line end."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(values)
    return buffer.getvalue()

"""Text tables: CSV with any usual delimiter, and RecBole's atomic files (`.inter`, `.item`, `.user`)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.readers.encodings import open_text
from recsys.dataset.importers.readers.lines import Rows
from recsys.dataset.importers.table import Customs, RawTable
from recsys.dataset.importers.values.numbers import COMMA, POINT
from recsys.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
_ATOMIC_TYPES = ("token", "token_seq", "float", "float_seq")
_SAMPLE = 1 << 16
_SAMPLE_ROWS = 50
_SEPARATOR_LINE = re.compile(r'\s*"?sep=(.)"?\s*', re.IGNORECASE)
"""First line that Excel writes to name the delimiter."""
# A quote that MySQL escapes; a backslash before it is one itself.
_ESCAPED_QUOTE = re.compile(r'(?<!\\)((?:\\\\)*)\\"')
_NULL = "\\N"


def read_delimited(path: Path) -> RawTable:
    """Read CSV; see `find_delimiter`. Raises DataError if the file is defective."""
    return _read(path, quoting=csv.QUOTE_MINIMAL)


def read_atomic(path: Path) -> RawTable:
    """Read a RecBole atomic file: tabs, no quoting, a header of `name:type`.

    Words of a `token_seq` are joined by `|`, except in columns of titles and names.
    Source: recbole.io/docs/user_guide/data/atomic_files.html
    """
    table = _read(path, quoting=csv.QUOTE_NONE)
    columns: dict[str, pa.StringArray] = {}
    text = set()
    for declared, values in table.columns.items():
        name, _, kind = declared.partition(":")
        if kind not in _ATOMIC_TYPES:
            raise DataError(f"{path}: header {declared!r}: write name:type, type one of {', '.join(_ATOMIC_TYPES)}")
        if name in columns:
            raise DataError(f"{path}: two columns are named {name!r}: rename one of them in the header")
        if kind.startswith("token"):
            text.add(name)
        if kind == "token_seq" and not name.endswith(("title", "name")):
            values = pc.replace_substring_regex(values, r"\s+", "|")
        columns[name] = values
    floats = frozenset(columns) - text
    return replace(table, columns=columns, text_columns=frozenset(text), number_columns=floats)


def find_delimiter(sample: str) -> str:
    """Return the delimiter of a text table: the one that splits most rows into as many cells as the header has.

    Delimiters inside quotes do not count. Spaces delimit only if nothing else does.
    """
    best, chosen = (0.0, 1), COMMA
    for delimiter in (*DELIMITERS, " "):
        rows = _split(sample, delimiter)
        if not rows or len(rows[0]) < 2 or (delimiter == " " and (best[1] > 1 or len(rows) < 2)):
            continue
        same = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        if delimiter == " " and same < 1:
            continue
        if (same, len(rows[0])) > best:
            best, chosen = (same, len(rows[0])), delimiter
    return chosen


def _split(sample: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) == _SAMPLE_ROWS:
                break
    except csv.Error:
        pass  # a cell of this delimiter is too long to be one
    # The sample may end within a row.
    return rows[:-1] if len(sample) == _SAMPLE and 1 < len(rows) < _SAMPLE_ROWS else rows


class _Lines:
    """Counted lines of a text; the lines of the current record can be read again."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._again: list[str] = []
        self.record: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._file)
        self.record.append(line)
        self.number += 1
        return line

    def rewind(self) -> None:
        """Go back to the second line of the record."""
        self._again.extend(reversed(self.record[1:]))
        self.number -= len(self.record) - 1


def _read(path: Path, quoting: int) -> RawTable:
    # A line end inside quotes belongs to the value, so newlines are left to the csv module.
    with open_text(path) as (file, note):
        table = _parse(path, file, quoting)
    return table.with_notes(note) if note else table


def _parse(path: Path, file: TextIO, quoting: int) -> RawTable:
    lines = _Lines(file)
    first = next(lines, "")
    named = _SEPARATOR_LINE.fullmatch(first)
    rest = "" if named else first
    sample = rest + file.read(_SAMPLE - len(rest)) if len(rest) < _SAMPLE else rest
    delimiter = named[1] if named else "\t" if quoting == csv.QUOTE_NONE else find_delimiter(sample)
    # Go back to where the table begins.
    file.seek(0)
    lines = _Lines(file)
    if named:
        next(lines)
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)  # type: ignore[arg-type]
    try:
        cells = next(row for row in reader if row)
    except StopIteration:
        raise DataError(f"{path}: the file is empty; it needs a header line and rows") from None
    except csv.Error as error:
        raise DataError(f"{path}: the header is not valid CSV: {error}") from None
    # pandas writes its index under an empty name.
    header = [cell.strip() or f"column_{number}" for number, cell in enumerate(cells, start=1)]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise DataError(f"{path}: two columns are named {repeated[0]!r}: rename one of them in the header")
    rows = Rows(path, header)
    escaped = []
    while True:
        lines.record.clear()
        number = lines.number + 1
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            # A stray quote swallows the lines after it: reject one line only, and read the others again.
            raw = lines.record[0].rstrip("\r\n")
            lines.rewind()
            unescaped = _unescape(raw, delimiter, len(header))
            if unescaped:
                rows.add(number, unescaped)
                escaped.append(raw)
            else:
                rows.reject(number, None, f"not valid CSV ({error}); close or double the quotes of this line", raw)
            continue
        width = len(row)
        if width == len(header):
            rows.add(number, row)
            continue
        raw = "".join(lines.record).rstrip("\r\n")
        if not raw.strip():
            continue
        unescaped = _unescape(raw, delimiter, len(header))
        if unescaped:
            rows.add(number, unescaped)
            escaped.append(raw)
        elif width > len(header) and not any(row[len(header) :]):
            rows.add(number, row[: len(header)])  # delimiters at the end
        else:
            counts = f"{width} fields where the header has {len(header)}"
            cure = f"quote values that hold {delimiter!r}"
            if width < len(header):
                cure = "add the missing ones, or quote a value that holds a line end"
            rows.reject(number, None, f"{counts}; {cure}", raw)
    table = rows.table()
    columns = {name: _without_marks(values) for name, values in table.columns.items()}
    customs = Customs(suggested={";": COMMA, ",": POINT}.get(delimiter, ""))
    table = replace(table, columns=columns, customs=customs)
    if not escaped:
        return table
    return table.with_notes(f"{path}: {len(escaped):,} rows have quotes after a backslash, as in {escaped[0]}")


def _unescape(raw: str, delimiter: str, width: int) -> list[str] | None:
    r"""Return the cells of a line in which quotes are escaped as \", or None if it is not such a line."""
    doubled = _ESCAPED_QUOTE.sub(r'\1""', raw)
    if doubled == raw:
        return None
    try:
        cells = next(csv.reader([doubled], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return cells if len(cells) == width else None


def _without_marks(values: pa.StringArray) -> pa.StringArray:
    r"""Empty the cells that hold \N, MySQL's missing value, and unwrap ="00123", by which Excel keeps zeros."""
    if pc.any(pc.starts_with(values, '="')).as_py():
        values = pc.replace_substring_regex(values, r'^="(.*)"$', r"\1")
    return pc.if_else(pc.equal(values, _NULL), "", values)

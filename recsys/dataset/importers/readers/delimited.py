"""Text tables: CSV with comma, semicolon or tab, and RecBole's atomic files (`.inter`, `.item`, `.user`)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.readers.lines import Rows
from recsys.dataset.importers.table import RawTable
from recsys.errors import DataError

DELIMITERS = (",", ";", "\t")
_ATOMIC_TYPES = ("token", "token_seq", "float", "float_seq")


def read_delimited(path: Path) -> RawTable:
    """Read CSV; the delimiter is the one most frequent in the header. Raises DataError if the file is defective."""
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
    return RawTable(path, columns, table.lines, frozenset(text), table.rejects)


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
    try:
        # A line end inside quotes belongs to the value, so newlines are left to the csv module.
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _parse(path, file, quoting)
    except UnicodeDecodeError:
        raise DataError(f"{path}: line {_first_undecodable_line(path)} is not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def _parse(path: Path, file: TextIO, quoting: int) -> RawTable:
    delimiter = "\t" if quoting == csv.QUOTE_NONE else max(DELIMITERS, key=file.readline().count)
    file.seek(0)
    lines = _Lines(file)
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)  # type: ignore[arg-type]
    try:
        cells = next(reader)
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
    while True:
        lines.record.clear()
        first = lines.number + 1
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            # A stray quote swallows the lines after it: reject one line only, and read the others again.
            raw = lines.record[0].rstrip("\r\n")
            rows.reject(first, None, f"not valid CSV ({error}); close or double the quotes of this line", raw)
            lines.rewind()
            continue
        if len(row) == len(header):
            rows.add(first, row)
            continue
        raw = "".join(lines.record).rstrip("\r\n")
        if raw.strip():
            counts = f"{len(row)} fields where the header has {len(header)}"
            rows.reject(first, None, f"{counts}; quote values that hold {delimiter!r}", raw)
    return rows.table()


def _first_undecodable_line(path: Path) -> int:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1

"""Read text files line by line, and collect rows into Arrow columns in chunks."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.readers.encodings import MARKS, find_encoding, open_bytes
from recsys.dataset.importers.table import RawTable, Reject
from recsys.errors import DataError, Problem
from recsys.progress import advance
from recsys.schema import IntArray

CHUNK = 65_536
"""Rows held as Python objects at once."""
_LONGEST_SAMPLE = 65_536


class Rows:
    """Collects rows of text into a RawTable. Values are trimmed; only one chunk is held as Python strings."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path = path
        self._names = list(names)
        self._chunks: list[list[pa.StringArray]] = []
        self._numbers: list[IntArray] = []
        self._rows: list[Sequence[str]] = []
        self._lines: list[int] = []
        self._rejects: list[Reject] = []

    def add(self, line: int, values: Sequence[str]) -> None:
        """Add one row that begins on this line of the file, 1-based."""
        self._rows.append(values)
        self._lines.append(line)
        if len(self._rows) == CHUNK:
            self._flush()

    def reject(self, line: int, field: str | None, message: str, raw: str) -> None:
        """Reject a line that cannot be a row; `field` is the column at fault, if there is one."""
        self._rejects.append(Reject(Problem(self._path, line, field, message), raw))

    def table(self, text_columns: Sequence[str] = ()) -> RawTable:
        """Return all rows. `text_columns` stay text even if they look like numbers."""
        self._flush()
        columns = {
            name: pa.concat_arrays([chunk[index] for chunk in self._chunks])
            if self._chunks
            else pa.array([], pa.string())
            for index, name in enumerate(self._names)
        }
        lines = np.concatenate(self._numbers) if self._numbers else np.zeros(0, dtype=np.int64)
        return RawTable(self._path, columns, lines, frozenset(text_columns), self._rejects)

    def _flush(self) -> None:
        if not self._rows:
            return
        cells = zip(*self._rows, strict=True)
        self._chunks.append([pc.utf8_trim_whitespace(pa.array(values, pa.string())) for values in cells])
        self._numbers.append(np.array(self._lines, dtype=np.int64))
        advance(len(self._rows))
        self._rows, self._lines = [], []


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with 1-based numbers and without line ends; gzip files are decompressed.

    Raises DataError if the file cannot be read or its encoding cannot be told.
    """
    number = 0
    encoding = find_encoding(path).name
    try:
        with open_bytes(path) as raw, io.TextIOWrapper(raw, encoding, newline="\n") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataError(f"{path}: line {number + 1} is not {encoding}; name the right one with `--encoding`") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged after line {number}: {error}; fetch the file again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def first_lines(path: Path, count: int = 1) -> list[str]:
    """Return the first lines that are not blank, at most 64 KiB of them; [] if there are none or it is not text.

    Raises DataError if the file cannot be read.
    """
    try:
        with open_bytes(path) as file:
            sample = file.read(_LONGEST_SAMPLE)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return []  # the reader reports the damage
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    marked = next((name for mark, name in MARKS if sample.startswith(mark)), "utf-8")
    lines = [line.rstrip("\r") for line in sample.decode(marked, errors="replace").split("\n") if line.strip()]
    return lines[:count]

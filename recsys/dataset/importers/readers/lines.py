"""Read text files line by line, and collect rows into Arrow columns in chunks."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.table import RawTable, Reject
from recsys.errors import DataError, Problem
from recsys.progress import advance
from recsys.schema import IntArray

CHUNK = 65_536
"""Rows held as Python objects at once."""
_LONGEST_FIRST_LINE = 65_536


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


def numbered_lines(path: Path, encoding: str = "utf-8-sig") -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with 1-based numbers and without line ends; `.gz` files are decompressed.

    Raises DataError if the file cannot be read or is not in this encoding.
    """
    number = 0
    try:
        with _open_file(path) as file:
            for number, raw in enumerate(file, start=1):
                line = raw.decode(encoding).rstrip("\r\n")
                if line.strip():
                    yield number, line
    except UnicodeDecodeError:
        raise DataError(f"{path}: line {number} is not UTF-8; save the file as UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged after line {number}: {error}; fetch the file again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def first_line(path: Path) -> str:
    """Return the first line that is not blank, at most 64 KiB of it; "" if there is none or it is not text.

    Raises DataError if the file cannot be read.
    """
    try:
        with _open_file(path) as file:
            while raw := file.readline(_LONGEST_FIRST_LINE):
                if raw.strip():
                    return raw.decode("utf-8-sig", errors="replace").rstrip("\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return ""  # the reader reports the damage
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    return ""


def text_encoding(path: Path) -> str:
    """Return UTF-8 if the file decodes as such, else Latin-1, the encoding of GroupLens's older files."""
    try:
        with _open_file(path) as file:
            for line in file:
                line.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    except (EOFError, zlib.error, gzip.BadGzipFile):
        pass  # the reader reports the damage with its line
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    return "utf-8-sig"


def _open_file(path: Path) -> gzip.GzipFile:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rb")
    return path.open("rb")  # type: ignore[return-value]

"""Text files line by line, and rows gathered into Arrow columns a chunk at a time."""

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
"""Rows that are held as Python objects at once."""
_LONGEST_FIRST_LINE = 65_536


class Rows:
    """Gathers rows of text into a RawTable; values are trimmed. Only a chunk of them is ever held as Python strings."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path = path
        self._names = list(names)
        self._chunks: list[list[pa.StringArray]] = []
        self._numbers: list[IntArray] = []
        self._rows: list[Sequence[str]] = []
        self._lines: list[int] = []
        self._rejects: list[Reject] = []

    def add(self, line: int, values: Sequence[str]) -> None:
        """One row that begins on this line of the file, 1-based."""
        self._rows.append(values)
        self._lines.append(line)
        if len(self._rows) == CHUNK:
            self._flush()

    def reject(self, line: int, field: str | None, message: str, raw: str) -> None:
        """A line that cannot be a row; `field` names the column where one is to blame."""
        self._rejects.append(Reject(Problem(self._path, line, field, message), raw))

    def table(self, text_columns: Sequence[str] = ()) -> RawTable:
        """All rows. `text_columns` stay text even if they look like numbers."""
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
    """The lines that are not blank, with their 1-based numbers and without line ends; `.gz` is unpacked on the way.

    Raises DataError where the file cannot be read or is not in this encoding.
    """
    number = 0
    try:
        with _opened(path) as file:
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
    """The first line that is not blank, as far as its first 64 KiB, "" if there is none or it is no text.

    Raises DataError where the file cannot be read.
    """
    try:
        with _opened(path) as file:
            while raw := file.readline(_LONGEST_FIRST_LINE):
                if raw.strip():
                    return raw.decode("utf-8-sig", errors="replace").rstrip("\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return ""  # the reader names the damage
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    return ""


def text_encoding(path: Path) -> str:
    """UTF-8 where the file is that, else Latin-1, in which GroupLens published its older files."""
    try:
        with _opened(path) as file:
            for line in file:
                line.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    except (EOFError, zlib.error, gzip.BadGzipFile):
        pass  # the reader names the damage with its line
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    return "utf-8-sig"


def _opened(path: Path) -> gzip.GzipFile:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rb")
    return path.open("rb")  # type: ignore[return-value]

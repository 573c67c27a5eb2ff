"""Parquet files and DataFrames as text tables, so that one set of checks covers every format."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.dataset.importers.readers.cells import arrow_table, write_cell
from recsys.dataset.importers.readers.encodings import is_compressed, open_bytes
from recsys.dataset.importers.table import RawTable
from recsys.errors import DataError


def read_parquet(path: Path) -> RawTable:
    """Read a Parquet file; row numbers count from 1. Raises DataError if the file is defective."""
    return arrow_table(path, load_parquet(path))


def load_parquet(path: Path) -> pa.Table:
    """Return the contents of a Parquet file, gzipped or not. Raises DataError if the file is defective."""
    try:
        if is_compressed(path):
            with open_bytes(path) as file:
                table = pq.read_table(pa.BufferReader(file.read()))
        else:
            table = pq.read_table(path)
    except (OSError, EOFError, pa.ArrowException) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from None
    _check_names(path, table.column_names)
    return table


def column_names(path: Path) -> list[str]:
    """Return the names of a Parquet file's columns, [] if it is defective; the reader reports that."""
    try:
        if is_compressed(path):
            return list(load_parquet(path).column_names)
        return list(pq.read_schema(path).names)
    except (OSError, DataError, pa.ArrowException):
        return []


def read_frame(frame: pd.DataFrame, path: Path) -> RawTable:
    """Read a DataFrame like a file; rows count from 1, and an index with names becomes columns.

    Args:
        frame: rows of one table.
        path: name of the frame in messages.

    Raises:
        DataError: two columns have one name.
    """
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    names = [str(name) for name in frame.columns]
    _check_names(path, names)
    columns = []
    for position in range(len(names)):
        series = frame.iloc[:, position]
        try:
            columns.append(pa.chunked_array(pa.array(series, from_pandas=True)))
        except (pa.ArrowException, TypeError):
            # Values of several types in one column.
            cells = [None if _is_missing(value) else write_cell(value) for value in series.tolist()]
            columns.append(pa.chunked_array([pa.array(cells, pa.string())]))
    return arrow_table(path, pa.table(columns, names=names))


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value)


def _check_names(path: Path, names: list[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{path}: two columns are named {repeated[0]!r}: rename one of them")

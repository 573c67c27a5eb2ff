"""Parquet files as text tables, so that one set of checks covers every format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.dataset.importers.table import RawTable
from recsys.errors import DataError


def read_parquet(path: Path) -> RawTable:
    """Read a Parquet file; row numbers count from 1. Raises DataError if the file is defective."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from None
    repeated = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if repeated:
        raise DataError(f"{path}: two columns are named {repeated[0]!r}: rename one of them")
    columns = {name: _text(path, name, table[name]) for name in table.column_names}
    numeric = (pa.types.is_integer, pa.types.is_floating)
    text = frozenset(field.name for field in table.schema if not any(test(field.type) for test in numeric))
    return RawTable(path, columns, np.arange(1, len(table) + 1, dtype=np.int64), text)


def _text(path: Path, name: str, column: pa.ChunkedArray) -> pa.StringArray:
    try:
        text = column.cast(pa.string())
    except pa.ArrowException:
        raise DataError(
            f"{path}: column {name!r} is of type {column.type}; use text, numbers, booleans or times"
        ) from None
    if pa.types.is_floating(column.type):
        text = pc.if_else(pc.is_nan(column), None, text)
    return pc.utf8_trim_whitespace(pc.fill_null(text, "").combine_chunks())

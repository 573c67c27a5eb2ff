"""Values of typed files (Parquet, JSON, Excel, DataFrames) as text, exactly as they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.table import RawTable, Reject
from recsys.schema import IntArray

LIST_MARK = "|"
"""Sign between the values of a list, as in categories."""
_WHOLE_LIMIT = 2**53


def write_cell(value: object) -> str | None:
    """Return one value as text: whole floats without a fraction, lists joined by `|`; None for nested objects."""
    if value is None:
        return ""
    if isinstance(value, str):
        # Half of a UTF-16 pair is legal in JSON, but cannot be encoded in a file.
        return value.strip().encode(errors="replace").decode()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < _WHOLE_LIMIT else repr(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return None
    if isinstance(value, list | tuple):
        parts = [write_cell(part) for part in value]
        return None if None in parts else LIST_MARK.join(part for part in parts if part)
    return str(value)


def make_table(
    path: Path, names: Sequence[str], rows: Iterable[Sequence[object]], lines: IntArray, rejects: list[Reject]
) -> RawTable:
    """Return rows of typed values as a table of text; columns with nested objects are left out with a note."""
    columns: dict[str, pa.StringArray] = {}
    text, numbers, floats, nested = set(), set(), set(), []
    # One column after the other, so that one list of text is held at a time.
    for name, values in zip(names, zip(*rows, strict=True) if len(lines) else [()] * len(names), strict=True):
        cells = [write_cell(value) for value in values]
        if None in cells:
            nested.append(name)
            continue
        columns[name] = pa.array(cells, pa.string())
        kinds = {type(value) for value in values} - {type(None)}
        if kinds and kinds <= {int, float}:
            numbers.add(name)
            if float in kinds:
                floats.add(name)
        else:
            text.add(name)
    return RawTable(
        path,
        columns,
        lines,
        frozenset(text),
        rejects,
        frozenset(floats),
        frozenset(numbers),
        notes=(describe_left_out(path, nested),) if nested else (),
    )


def arrow_text(column: pa.ChunkedArray) -> pa.StringArray | None:
    """Return an Arrow column as text, trimmed; None for nested objects and types without a text."""
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        cells = [write_cell(value) for value in column.to_pylist()]
        return None if None in cells else pa.array(cells, pa.string())
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
        # Whole numbers that a float holds exactly have no fraction: 101.0 is 101, also from 1e10 on.
        wide = column.cast(pa.float64())
        whole = pc.and_(pc.equal(pc.floor(wide), wide), pc.less(pc.abs(wide), float(_WHOLE_LIMIT)))
        integers = pc.if_else(whole, wide, None).cast(pa.int64()).cast(pa.string())
        text = pc.if_else(whole, integers, column.cast(pa.string()))
    else:
        try:
            text = column.cast(pa.string())
        except pa.ArrowException:
            return None
    return pc.utf8_trim_whitespace(pc.fill_null(text, "").combine_chunks())


def arrow_table(path: Path, table: pa.Table) -> RawTable:
    """Return an Arrow table as text; rows count from 1, and columns that have no text are left out with a note."""
    columns, left_out = {}, []
    for name in table.column_names:
        text = arrow_text(table[name])
        if text is None:
            left_out.append(name)
        else:
            columns[name] = text
    kinds = {field.name: field.type for field in table.schema if field.name in columns}
    floats = frozenset(name for name, kind in kinds.items() if pa.types.is_floating(kind))
    numbers = floats | {name for name, kind in kinds.items() if pa.types.is_integer(kind) or pa.types.is_decimal(kind)}
    return RawTable(
        path,
        columns,
        np.arange(1, len(table) + 1, dtype=np.int64),
        frozenset(columns) - numbers,
        float_columns=floats,
        number_columns=frozenset(numbers),
        notes=(describe_left_out(path, left_out),) if left_out else (),
    )


def describe_left_out(path: Path, names: Sequence[str]) -> str:
    """Return the note about columns whose values are neither text nor numbers."""
    return f"{path}: left out, since their values are nested: {', '.join(names)}"

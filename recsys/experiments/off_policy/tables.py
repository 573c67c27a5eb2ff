"""Logs and policies as tables, from CSV or Parquet files: columns checked, ids as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from recsys.errors import DataError

IDS = ("request_id", "user_id", "item_id", "action", "event")
NUMBERS = ("strength", "propensity", "probability", "timestamp", "position")
LISTS = ("items", "propensities")
TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


def read_table(path: Path, required: Sequence[str]) -> pd.DataFrame:
    """Read a .csv or .parquet file that has the columns `required`; known columns are converted to their types.

    Lists are JSON in CSV files.

    Raises:
        DataError: for another suffix, an unreadable file, a missing column, and a value of the wrong type.
    """
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        elif path.suffix == ".csv":
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        else:
            raise DataError(f"{path}: expected a .csv or .parquet file")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a table: {error}") from None
    return convert_columns(frame, required, str(path))


def convert_columns(frame: pd.DataFrame, required: Sequence[str], where: str) -> pd.DataFrame:
    """Check for the columns `required` and convert known columns; `where` names the table in messages."""
    check_columns(frame, required, where)
    columns: dict[str, Any] = {str(name): frame[name] for name in frame.columns}
    for name, column in columns.items():
        if name in IDS:
            columns[name] = column.astype(object).where(column.notna(), "").astype(str)
        elif name in NUMBERS:
            columns[name] = _numbers(column, name, where)
        elif name in LISTS:
            lists = []
            for value in column:
                try:
                    found = json.loads(value) if isinstance(value, str) else list(value)
                except (ValueError, TypeError):
                    found = None
                if not isinstance(found, list):
                    raise DataError(f"{where}: column {name!r}: {value!r} is not a list; write JSON, as [1, 2]")
                lists.append(found)
            columns[name] = lists
        elif name == "satisfied":
            truths = [TRUTH.get(str(value).strip().lower()) for value in column]
            if None in truths:
                value = column.iloc[truths.index(None)]
                raise DataError(f"{where}: column {name!r}: {value!r} is neither true nor false; write one of both")
            columns[name] = truths
    return pd.DataFrame(columns)


def check_columns(frame: pd.DataFrame, required: Sequence[str], where: str) -> None:
    """Raise DataError if columns are missing; it names them, and explains a missing propensity."""
    missing = [name for name in required if name not in frame.columns]
    if missing:
        hint = ""
        if {"propensity", "propensities"} & set(missing):
            hint = ". Without the probability of each choice, logged as it is made, nothing can be evaluated off policy"
        raise DataError(
            f"{where}: no column {', '.join(map(repr, missing))}; it has {', '.join(map(str, frame))}{hint}"
        )


def _numbers(column: pd.Series[Any], name: str, where: str) -> pd.Series[Any]:
    empty = column.isna() | (column.astype(str).str.strip() == "")
    found = pd.to_numeric(column.where(~empty), errors="coerce").astype(float)
    wrong = found.isna() & ~empty
    # The text "NaN" is a missing value, too; functions that need the value raise an error.
    wrong &= column.astype(str).str.lower() != "nan"
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise DataError(
            f"{where}: column {name!r}, row {row}: {column.iloc[row]!r} is not a number; correct or drop the row"
        )
    return found

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
    """Read a .csv or .parquet file that has the columns `required`; columns that are known by name get their types.

    Lists stand in CSV as JSON. Raises DataError for another suffix, an unreadable file, a missing column, and a value
    that is not what its column holds.
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
    return typed(frame, required, str(path))


def typed(frame: pd.DataFrame, required: Sequence[str], where: str) -> pd.DataFrame:
    """The table with the columns `required`, known ones typed; `where` stands in messages. Raises like `read_table`."""
    check_columns(frame, required, where)
    columns: dict[str, Any] = {str(name): frame[name] for name in frame.columns}
    for name, column in columns.items():
        if name in IDS:
            columns[name] = column.astype(object).where(column.notna(), "").astype(str)
        elif name in NUMBERS:
            columns[name] = _numbers(column, name, where)
        elif name in LISTS:
            columns[name] = [_listed(value, name, where) for value in column]
        elif name == "satisfied":
            columns[name] = [_truth(value, name, where) for value in column]
    return pd.DataFrame(columns)


def check_columns(frame: pd.DataFrame, required: Sequence[str], where: str) -> None:
    """Raises DataError that names the missing columns, and what a missing propensity means."""
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
    # What says NaN in words is missing, too; whoever needs it will refuse it.
    wrong &= column.astype(str).str.lower() != "nan"
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise DataError(f"{where}: column {name!r}, row {row}: {column.iloc[row]!r} is not a number")
    return found


def _listed(value: Any, name: str, where: str) -> list[Any]:
    try:
        found = json.loads(value) if isinstance(value, str) else list(value)
    except (ValueError, TypeError):
        found = None
    if not isinstance(found, list):
        raise DataError(f"{where}: column {name!r}: {value!r} is not a list; write JSON, as [1, 2]")
    return found


def _truth(value: Any, name: str, where: str) -> bool:
    found = TRUTH.get(str(value).strip().lower())
    if found is None:
        raise DataError(f"{where}: column {name!r}: {value!r} is neither true nor false")
    return found

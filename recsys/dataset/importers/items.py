"""Rows of the catalog: check and type them, and merge files that describe one catalog."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.table import RowCheck
from recsys.dataset.importers.values import (
    AVAILABILITY_WORDS,
    as_series,
    describe_number,
    is_blank,
    join_lists,
    parse_attribute,
    parse_availability,
)
from recsys.schema import AVAILABLE, CATEGORY, IMAGE, ITEM_COLUMNS, ITEM_ID, PRICE, TITLE

# Float64 holds every cent up to here.
_LARGEST_PRICE = 2**53 / 100


def check_ids(check: RowCheck, name: str) -> None:
    """Flag empty and repeated ids; the first row of an id is good."""
    column = check.require(name)
    empty = is_blank(column)
    check.flag(empty, name, lambda _: "empty id; give every row an id")
    ids = as_series(column)
    repeated = ids.duplicated().to_numpy() & ~empty
    if repeated.any():
        first = dict(zip(ids[~repeated], check.table.lines[~repeated], strict=True))
        check.flag(
            repeated,
            name,
            lambda value: f"{value!r} is already on row {first[value]}; keep one row for each id",
        )


def parse_items(check: RowCheck, others: dict[str, str]) -> pd.DataFrame:
    """Parse all N rows of one file; bad ones are flagged in `check`, `others` maps attributes to columns.

    Empty values are missing, so that a merge can fill them; columns that the file does not have are absent
    (`finish_items` sets defaults). Images are left as they are in the file.
    """
    check_ids(check, ITEM_ID)
    frame = pd.DataFrame({ITEM_ID: as_series(check.require(ITEM_ID))})
    for name in (TITLE, CATEGORY, IMAGE):
        column = check.column(name)
        if column is not None:
            frame[name] = as_series(_without_blanks(join_lists(column) if name == CATEGORY else column))
    price = check.column(PRICE)
    if price is not None:
        amounts, bad = check.numbers(PRICE)
        unreadable = bad & ~is_blank(price)
        check.flag(unreadable, PRICE, lambda value: describe_number(value, "write 12.99, or leave it empty if unknown"))
        large = amounts >= _LARGEST_PRICE
        check.flag(large, PRICE, lambda value: f"{value} is too large to be stored to the cent; leave it empty")
        check.flag(amounts < 0, PRICE, lambda value: f"{value} is negative; leave it empty if unknown")
        frame[PRICE] = pd.Series(amounts)
    available = check.column(AVAILABLE)
    if available is not None:
        words, bad, notes = parse_availability(available)
        check.notes += [f"{check.table.path.name}, {AVAILABLE}: {note}" for note in notes]
        check.flag(bad, AVAILABLE, lambda value: f"{value!r} is not an availability; use {AVAILABILITY_WORDS}")
        frame[AVAILABLE] = pd.Series(words).astype("boolean").mask(pd.Series(is_blank(available)))
    for name, source in others.items():
        column = check.table.columns[source]
        values = parse_attribute(column, source in check.table.text_columns)
        frame[name] = values if pd.api.types.is_numeric_dtype(values) else as_series(_without_blanks(column))
    return frame


def merge_rows(first: pd.DataFrame, second: pd.DataFrame, key: str) -> pd.DataFrame:
    """Merge all rows and columns of both, matched by `key`; if both have a value, the first's is used."""
    left, right = _nullable(first.set_index(key)), _nullable(second.set_index(key))
    index = left.index.union(right.index)
    left, right = left.reindex(index), right.reindex(index)
    for name in right.columns:
        if name in left.columns:
            ours, theirs = _same_kind(left[name], right[name])
            left[name] = ours.where(ours.notna(), theirs)
        else:
            left[name] = right[name]
    return _plain(left).reset_index(names=key)


def update_rows(
    old: pd.DataFrame, frames: Sequence[pd.DataFrame], merged: pd.DataFrame, key: str
) -> tuple[pd.DataFrame, str]:
    """Return the rows of `old` with the columns that files bring, and new rows; and a note that counts both.

    An empty value of a column that a file has clears the old value; a column that it does not have changes nothing.

    Args:
        old: Rows of the project, each key once.
        frames: Rows of each file.
        merged: Rows of all files, each key once.
        key: Name of the column with the ids.
    """
    before, after = _nullable(old.set_index(key)), _nullable(merged.set_index(key))
    index = before.index.append(after.index.difference(before.index))
    known, rows = after.index.isin(before.index), after.reindex(index)
    updated = before.reindex(index)
    for name in after.columns:
        # Of several files only some may have the column, and then only their rows change.
        brought = index.isin(np.concatenate([frame[key].to_numpy() for frame in frames if name in frame]))
        ours, theirs = _same_kind(rows[name], updated[name]) if name in updated else (rows[name], None)
        updated[name] = ours if theirs is None else ours.where(brought, theirs)
    columns = ", ".join(after.columns) or "none"
    note = f"{key.removesuffix('_id')}s: {int(known.sum()):,} updated (columns {columns}), {int((~known).sum()):,} new"
    return _plain(updated).reset_index(names=key), note


def finish_items(frame: pd.DataFrame) -> pd.DataFrame:
    """Fill in defaults, order the columns as in `recsys.schema.ITEM_COLUMNS`, and sort by id."""
    defaults: dict[str, str | float | bool] = {
        TITLE: "",
        CATEGORY: "",
        PRICE: np.nan,
        AVAILABLE: True,
        IMAGE: "",
    }
    for name, default in defaults.items():
        if name not in frame:
            frame[name] = default
    # A column of which no file has a value has no kind of its own.
    frame = frame.astype(dict.fromkeys((TITLE, CATEGORY, IMAGE), "str"))
    frame[AVAILABLE] = frame[AVAILABLE].astype("boolean").fillna(True).astype(bool)
    attributes = [name for name in frame.columns if name not in ITEM_COLUMNS]
    return finish_rows(frame[[*ITEM_COLUMNS, *attributes]], ITEM_ID)


def finish_rows(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    """Replace missing text by "", and sort rows by `key`."""
    text = {name: "" for name in frame.columns if not _is_number(frame[name])}
    return frame.fillna(text).sort_values(key, ignore_index=True)


def _without_blanks(column: pa.StringArray) -> pa.StringArray:
    return pc.if_else(pc.equal(column, ""), None, column)


def _nullable(frame: pd.DataFrame) -> pd.DataFrame:
    # Whole numbers with missing rows would become 7.0, as text too.
    return frame.astype({name: "Int64" for name in frame.columns if pd.api.types.is_integer_dtype(frame[name])})


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    whole = [name for name in frame.columns if frame[name].dtype == "Int64"]
    return frame.astype({name: "float64" if frame[name].isna().any() else "int64" for name in whole})


def _same_kind(one: pd.Series, other: pd.Series) -> tuple[pd.Series, pd.Series]:
    if _is_number(one) == _is_number(other):
        return one, other
    return one.map(str, na_action="ignore").astype("str"), other.map(str, na_action="ignore").astype("str")


def _is_number(series: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(series) or pd.api.types.is_bool_dtype(series)

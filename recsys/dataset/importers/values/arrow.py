"""Small conversions between Arrow columns of text, NumPy and pandas."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys.schema import BoolArray


def as_bools(mask: pa.Array) -> BoolArray:
    """Convert an Arrow boolean array without nulls to NumPy."""
    values: BoolArray = mask.to_numpy(zero_copy_only=False)
    return values


def is_blank(column: pa.StringArray) -> BoolArray:
    """Return a mask (N,) of the values that are empty."""
    return as_bools(pc.equal(column, ""))


def as_series(column: pa.StringArray) -> pd.Series:
    """Convert Arrow text to a pandas column."""
    series: pd.Series = column.to_pandas()
    return series

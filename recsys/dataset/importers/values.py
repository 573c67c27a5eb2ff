"""Parse columns of text. Parsers return the values and a mask of the rows that they could not read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.schema import BoolArray, IntArray

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
# Codes such as 07101, and more digits than a float holds exactly, are names, not amounts.
_PLAIN_NUMBER = r"^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$"
# Eight digits that spell a date are one (ISO 8601 basic format), not an epoch of the year 1970.
_BASIC_DATE = r"^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$"
# Prices and weights become float32, which ends near 3e38.
_LARGEST = 1e30
_FIRST_MILLISECONDS = 1e11
_LAST_MILLISECONDS = 1e14

_YES = ("true", "yes", "y", "1", "t", "available", "in stock", "in_stock", "instock")
_NO = ("false", "no", "n", "0", "f", "unavailable", "out of stock", "out_of_stock", "outofstock", "sold out")
AVAILABILITY_WORDS = f"{', '.join(_YES)} or {', '.join(_NO)}"


def as_bools(mask: pa.Array) -> BoolArray:
    """Convert an Arrow boolean array without nulls to NumPy."""
    values: BoolArray = mask.to_numpy(zero_copy_only=False)
    return values


def is_blank(column: pa.StringArray) -> BoolArray:
    """Return a mask (N,) of the values that are empty."""
    return as_bools(pc.equal(column, ""))


def parse_numbers(column: pa.StringArray) -> tuple[NDArray[np.float64], BoolArray]:
    """Parse numbers up to 1e30: `(N,)` float64, NaN if unreadable, and a mask of the unreadable or empty ones."""
    matching = pc.match_substring_regex(column, _NUMBER)
    values: NDArray[np.float64] = (
        pc.if_else(matching, column, None).cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    )
    values[np.abs(values) > _LARGEST] = np.nan
    return values, np.isnan(values)


def parse_availability(column: pa.StringArray) -> tuple[BoolArray, BoolArray]:
    """Parse availability words: `(N,)` bool, True if empty, and a mask of the other words."""
    words = pc.utf8_lower(column)
    yes = as_bools(pc.is_in(words, pa.array([*_YES, ""])))
    no = as_bools(pc.is_in(words, pa.array(_NO)))
    return yes, ~(yes | no)


def parse_timestamps(column: pa.StringArray) -> tuple[IntArray, BoolArray]:
    """Parse times: seconds since 1970 UTC `(N,)` int64, 0 if unreadable, and a mask of the unreadable ones.

    Reads epoch seconds, epoch milliseconds (from 1e11 on: in seconds that is the year 5138), and ISO 8601 (a time
    without a zone is UTC). Fractions of a second are dropped. Times before 1970 are unreadable.
    """
    numeric, unreadable = parse_numbers(column)
    dated = unreadable | as_bools(pc.match_substring_regex(column, _BASIC_DATE))
    seconds = np.where(numeric >= _FIRST_MILLISECONDS, numeric / 1000.0, numeric)
    seconds[numeric >= _LAST_MILLISECONDS] = np.nan
    if dated.any():
        parsed = pd.to_datetime(
            pc.filter(column, pa.array(dated)).to_pandas(), format="ISO8601", utc=True, errors="coerce"
        )
        # Coerced to nanoseconds first, so that the number below has one known unit.
        whole = parsed.dt.as_unit("ns").dt.tz_localize(None).to_numpy().astype("datetime64[s]")
        seconds[dated] = np.where(np.isnat(whole), np.nan, whole.astype(np.int64))
    bad = ~(seconds >= 0)
    return np.where(bad, 0.0, seconds).astype(np.int64), bad


def parse_attribute(column: pa.StringArray, is_text: bool) -> pd.Series:
    """Parse an attribute as numbers (int64, or float64 with NaN) if every value is plainly one, else as text."""
    empty = pc.equal(column, "")
    plain = pc.or_(empty, pc.match_substring_regex(column, _PLAIN_NUMBER))
    if is_text or pc.all(empty).as_py() or not pc.all(plain).as_py():
        return as_series(column)
    values = pc.if_else(empty, None, column).cast(pa.float64()).to_pandas()
    fractional = pc.any(pc.match_substring(column, ".")).as_py()
    whole = not fractional and not values.isna().any()
    result: pd.Series = values.astype(np.int64) if whole else values
    return result


def as_series(column: pa.StringArray) -> pd.Series:
    """Convert Arrow text to a pandas column."""
    series: pd.Series = column.to_pandas()
    return series

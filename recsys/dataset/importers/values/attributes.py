"""Attributes: columns that become numbers if every value plainly is one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.values.arrow import as_series

# Codes such as 07101, and more digits than a float holds exactly, are names, not amounts.
_PLAIN_NUMBER = r"^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$"


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

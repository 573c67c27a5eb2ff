"""Rows of users: ids are checked, all other columns are attributes."""

from __future__ import annotations

import pandas as pd

from recsys.dataset.importers.items import check_ids
from recsys.dataset.importers.table import RowCheck
from recsys.dataset.importers.values import as_series, parse_attribute
from recsys.schema import USER_ID


def parse_users(check: RowCheck, others: dict[str, str]) -> pd.DataFrame:
    """Parse all N rows of one file; bad ones are flagged in `check`, `others` maps attributes to columns."""
    check_ids(check, USER_ID)
    frame = pd.DataFrame({USER_ID: as_series(check.require(USER_ID))})
    for name, source in others.items():
        frame[name] = parse_attribute(check.table.columns[source], source in check.table.text_columns)
    return frame

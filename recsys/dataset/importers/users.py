"""The people's rows: ids checked, everything else an attribute."""

from __future__ import annotations

import pandas as pd

from recsys.dataset.importers.items import check_ids
from recsys.dataset.importers.table import RowCheck
from recsys.dataset.importers.values import as_series, attribute
from recsys.schema import USER_ID


def parse_users(check: RowCheck, others: dict[str, str]) -> pd.DataFrame:
    """One source's users, all N rows, bad ones flagged in `check`."""
    check_ids(check, USER_ID)
    frame = pd.DataFrame({USER_ID: as_series(check.required(USER_ID))})
    for name, source in others.items():
        frame[name] = attribute(check.table.columns[source], source in check.table.text_columns)
    return frame

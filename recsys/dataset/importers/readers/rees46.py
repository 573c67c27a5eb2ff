"""REES46's logs of online shops, the largest public ones: one row per event, with what was known of the product.

Columns are `event_time` (with the suffix UTC), `event_type`, `product_id`, `category_id`, `category_code`
(`electronics.smartphone`), `brand`, `price`, `user_id` and `user_session`. The log describes its products, so it can be
imported as items, too.
Source: rees46.com/en/datasets
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.table import RawTable
from recsys.errors import DataError
from recsys.schema import CATEGORY, EVENT, ITEM_ID, PRICE, TIMESTAMP, USER_ID

HEADER = {"event_time", "event_type", "product_id", "user_id", "category_code"}
_NAMES = {
    "user_id": USER_ID, "product_id": ITEM_ID, "event_type": EVENT, "event_time": TIMESTAMP, "category_code": CATEGORY,
    "brand": "brand", "price": PRICE,
}  # fmt: skip


def read_events(table: RawTable) -> RawTable:
    """Read events with what they say of their products. Raises DataError if the file is defective."""
    missing = sorted(HEADER - set(table.columns))
    if missing:
        raise DataError(
            f"{table.path}: no column {', '.join(missing)}; a log of REES46 has {', '.join(sorted(HEADER))}"
        )
    columns = {new: table.columns[old] for old, new in _NAMES.items() if old in table.columns}
    columns[CATEGORY] = pc.replace_substring(columns[CATEGORY], ".", " > ")
    return replace(table, columns=columns, text_columns=frozenset((USER_ID, ITEM_ID, CATEGORY, "brand")))


def read_products(table: RawTable) -> RawTable:
    """Read the products of a log, each as its last event describes it. Raises DataError if the file is defective."""
    table = read_events(table)
    ids = table.columns[ITEM_ID].to_pandas()
    last = ~ids.duplicated(keep="last") & (ids != "")
    rows = pa.array(last)
    names = (ITEM_ID, CATEGORY, PRICE, "brand")
    columns = {name: pc.filter(table.columns[name], rows) for name in names if name in table.columns}
    return replace(table, columns=columns, lines=table.lines[pd.Series(last).to_numpy()])

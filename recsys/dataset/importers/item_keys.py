"""Events that name items by another key than the catalog's id: a SKU, a product number, a GTIN, or a title.

Shop systems know an item by several keys, and their orders and their web pages use different ones.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from recsys.dataset.importers.table import RowCheck
from recsys.dataset.importers.values import as_series
from recsys.schema import ITEM_GROUP_ID, ITEM_ID, TITLE

VARIANT = "variant"
KEYS = ("sku", "product_id", "gtin", "mpn", ITEM_GROUP_ID)
"""Attributes that name an item, if one item alone has the value; the first that fits is used."""
_EXAMPLES = 3


def join_items(check: RowCheck, items: pd.DataFrame) -> None:
    """Replace ids that the catalog does not have by the ids of the items that have them as another key.

    Each kind of key that is used becomes a note with examples. Titles count only in exports of shop systems, whose
    lines name items without a SKU so.
    """
    column = check.column(ITEM_ID)
    if column is None:
        return
    ids = as_series(column)
    unknown = pd.Index(ids.unique()).difference(pd.Index(items[ITEM_ID])).drop("", errors="ignore")
    if not len(unknown):
        return
    found: dict[str, str] = {}
    for name, keys in _list_keys(items, titles=check.table.names_titles).items():
        hits = {value: keys[value] for value in unknown if value in keys and value not in found}
        if hits:
            examples = ", ".join(f"{value} -> {item}" for value, item in list(hits.items())[:_EXAMPLES])
            check.notes.append(f"{check.table.path}: {len(hits):,} items are named by their {name} ({examples})")
            found |= hits
    if found:
        check.replace(ITEM_ID, pa.array(ids.map(lambda value: found.get(value, value)), pa.string()))


def _list_keys(items: pd.DataFrame, *, titles: bool) -> dict[str, dict[str, str]]:
    """Return the id of each item by each of its keys that is its alone."""
    columns = {name: items[name].astype("str") for name in KEYS if name in items}
    if titles:
        if VARIANT in items:
            columns["title and variant"] = items[TITLE] + " - " + items[VARIANT]
        columns[TITLE] = items[TITLE]
    keys = {}
    for name, values in columns.items():
        alone = ~values.duplicated(keep=False) & (values != "")
        keys[name] = dict(zip(values[alone].tolist(), items.loc[alone, ITEM_ID].tolist(), strict=True))
    return keys

"""Current catalog of a shop: imported items, with the items put, changed or deleted since."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.dataset.importers.items import finish_items
from recsys.schema import AVAILABLE, CATEGORY, IMAGE, ITEM_COLUMNS, ITEM_ID, PRICE, TITLE
from recsys.storage.live.items import LiveItem


def apply_live_items(imported: pd.DataFrame, changes: Sequence[LiveItem]) -> pd.DataFrame:
    """Apply changes to a catalog (`recsys.schema.ITEM_COLUMNS` and attributes); each item changes at most once.

    An item that was put replaces the row with its id and keeps that row's attributes, or adds a row with unknown
    attributes. A deleted item is removed. Rows are sorted by id. Without changes the same frame is returned.
    """
    if not changes:
        return imported
    unchanged = imported[~imported[ITEM_ID].isin([item.item_id for item in changes])]
    put = live_rows([item for item in changes if not item.deleted])
    attributes = imported.drop(columns=[name for name in ITEM_COLUMNS if name != ITEM_ID])
    put = put.merge(attributes, on=ITEM_ID, how="left").astype({ITEM_ID: imported[ITEM_ID].dtype})
    frames = [frame for frame in (unchanged, put) if not frame.empty]
    return finish_items(pd.concat(frames, ignore_index=True)) if frames else unchanged


def live_rows(items: Sequence[LiveItem]) -> pd.DataFrame:
    """Return items that are not deleted as rows of `recsys.schema.ITEM_COLUMNS`, in the given order."""
    rows = {
        ITEM_ID: pd.Series([item.item_id for item in items], dtype="str"),
        TITLE: pd.Series([item.title for item in items], dtype="str"),
        CATEGORY: pd.Series([item.category for item in items], dtype="str"),
        PRICE: pd.Series([np.nan if item.price is None else item.price for item in items], dtype="float64"),
        AVAILABLE: pd.Series([item.available for item in items], dtype="bool"),
        IMAGE: pd.Series([item.image for item in items], dtype="str"),
    }
    return pd.DataFrame(rows)

"""The catalog as the shop has it now: what was imported, with what was put, changed and deleted since."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.dataset.importers.items import finish_items
from recsys.schema import AVAILABLE, CATEGORY, IMAGE, ITEM_COLUMNS, ITEM_ID, PRICE, TITLE
from recsys.storage.live.items import LiveItem


def with_live_items(imported: pd.DataFrame, changes: Sequence[LiveItem]) -> pd.DataFrame:
    """A catalog (`recsys.schema.ITEM_COLUMNS` and attributes) with `changes` applied, each item at most once in them.

    A put item replaces the row with its id and keeps that row's attributes, or adds a row, whose attributes are
    unknown; a deleted item is gone. Rows are sorted by id. Without changes the frame is given back as it is.
    """
    if not changes:
        return imported
    untouched = imported[~imported[ITEM_ID].isin([item.item_id for item in changes])]
    put = live_rows([item for item in changes if not item.deleted])
    attributes = imported.drop(columns=[name for name in ITEM_COLUMNS if name != ITEM_ID])
    put = put.merge(attributes, on=ITEM_ID, how="left").astype({ITEM_ID: imported[ITEM_ID].dtype})
    parts = [part for part in (untouched, put) if not part.empty]
    return finish_items(pd.concat(parts, ignore_index=True)) if parts else untouched


def live_rows(items: Sequence[LiveItem]) -> pd.DataFrame:
    """Items that are not deleted as rows of `recsys.schema.ITEM_COLUMNS`, in their order."""
    rows = {
        ITEM_ID: pd.Series([item.item_id for item in items], dtype="str"),
        TITLE: pd.Series([item.title for item in items], dtype="str"),
        CATEGORY: pd.Series([item.category for item in items], dtype="str"),
        PRICE: pd.Series([np.nan if item.price is None else item.price for item in items], dtype="float64"),
        AVAILABLE: pd.Series([item.available for item in items], dtype="bool"),
        IMAGE: pd.Series([item.image for item in items], dtype="str"),
    }
    return pd.DataFrame(rows)

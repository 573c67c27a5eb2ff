"""Current catalog of a shop: imported items, with the items put, changed or deleted since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from recsys.dataset.importers.items import finish_items
from recsys.schema import AVAILABLE, CATEGORY, IMAGE, ITEM_COLUMNS, ITEM_ID, PRICE, TITLE
from recsys.storage.live.items import LiveItem


class PartialChange(Protocol):
    """Change of an item; `fields` are the columns that it sets, None for all."""

    @property
    def item_id(self) -> str:
        """Return the id."""
        ...

    @property
    def fields(self) -> frozenset[str] | None:
        """Return the columns that it sets."""
        ...


def apply_live_items(imported: pd.DataFrame, changes: Sequence[LiveItem]) -> pd.DataFrame:
    """Apply changes to a catalog (`recsys.schema.ITEM_COLUMNS` and attributes); each item changes at most once.

    An item that was put replaces the row with its id and keeps that row's attributes, or adds a row with unknown
    attributes. A change in part replaces its fields of the row, and adds no row. A deleted item is removed. Rows are
    sorted by id. Without changes the same frame is returned.
    """
    if not changes:
        return imported
    unchanged = imported[~imported[ITEM_ID].isin([item.item_id for item in changes])]
    present = [item for item in changes if not item.deleted]
    known = set(imported[ITEM_ID]) if any(item.fields is not None for item in present) else set()
    present = [item for item in present if item.fields is None or item.item_id in known]
    put = keep_other_fields(live_rows(present), imported, present)
    attributes = imported.drop(columns=[name for name in ITEM_COLUMNS if name != ITEM_ID])
    put = put.merge(attributes, on=ITEM_ID, how="left").astype({ITEM_ID: imported[ITEM_ID].dtype})
    frames = [frame for frame in (unchanged, put) if not frame.empty]
    return finish_items(pd.concat(frames, ignore_index=True)) if frames else unchanged


def keep_other_fields(rows: pd.DataFrame, before: pd.DataFrame, items: Sequence[PartialChange]) -> pd.DataFrame:
    """Return rows (n, ...) of `items` in which fields that a change in part does not set are those of `before`.

    `before` has `recsys.schema.ITEM_COLUMNS` and every item that was changed in part.
    """
    partial = [index for index, item in enumerate(items) if item.fields is not None]
    if not partial:
        return rows
    old = before.set_index(ITEM_ID).loc[[items[index].item_id for index in partial]]
    rows = rows.copy()
    for name in ITEM_COLUMNS[1:]:
        values = rows[name].to_numpy(copy=True)
        for place, index in enumerate(partial):
            if name not in (items[index].fields or ()):
                values[index] = old[name].iloc[place]
        rows[name] = pd.Series(values, index=rows.index, dtype=rows[name].dtype)
    return rows


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

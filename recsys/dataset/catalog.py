"""Catalog as dense arrays, one entry per item row."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys.dataset.categories import in_category
from recsys.dataset.identifiers import ItemIdentifiers
from recsys.schema import (
    AVAILABLE,
    CATEGORY,
    IMAGE,
    ITEM_COLUMNS,
    ITEM_GROUP_ID,
    ITEM_ID,
    PRICE,
    TITLE,
    BoolArray,
    FloatArray,
    IntArray,
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Catalog:
    """I items; arrays are read-only and share the rows of `ids`.

    Attributes:
        ids: item ids by row.
        titles: `(I,)` str.
        category_codes: `(I,)` int64 indices into `category_names`.
        category_names: sorted; "" is unknown.
        prices: `(I,)` float32, NaN if unknown.
        available: `(I,)` bool.
        images: `(I,)` str, paths; "" if none.
        attributes: I rows of further columns.
        present: `(I,)` bool, False for deleted items. They keep their rows, but no id leads to these.
        groups: `(I,)` int64, equal for variants of one product (the attribute `item_group_id`); None if no two items
            are variants.
    """

    ids: ItemIdentifiers
    titles: NDArray[np.object_]
    category_codes: IntArray
    category_names: tuple[str, ...]
    prices: FloatArray
    available: BoolArray
    images: NDArray[np.object_]
    attributes: pd.DataFrame
    present: BoolArray
    groups: IntArray | None = None

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, sort: bool = True) -> Catalog:
        """Build from a frame with `recsys.schema.ITEM_COLUMNS`, such as `Project.load_items()`.

        Rows are sorted by id, or, with `sort` False, in the frame's order.
        """
        if sort:
            frame = frame.sort_values(ITEM_ID, ignore_index=True)
        codes, names = pd.factorize(frame[CATEGORY], sort=True)
        return cls(
            ids=ItemIdentifiers("item", frame[ITEM_ID].tolist()),
            titles=_frozen(frame[TITLE].to_numpy(dtype=object)),
            category_codes=_frozen(codes.astype(np.int64)),
            category_names=tuple(map(str, names)),
            prices=_frozen(frame[PRICE].to_numpy(dtype=np.float32)),
            available=_frozen(frame[AVAILABLE].to_numpy(dtype=np.bool_)),
            images=_frozen(frame[IMAGE].to_numpy(dtype=object)),
            attributes=frame.drop(columns=list(ITEM_COLUMNS)),
            present=_frozen(np.ones(len(frame), dtype=np.bool_)),
            groups=_variant_groups(frame),
        )

    def without(self, rows: IntArray) -> Catalog:
        """Return the catalog with the items in `rows` (n,) deleted."""
        present = self.present.copy()
        present[rows] = False
        return replace(
            self, ids=self.ids.without(rows), present=_frozen(present), available=_frozen(self.available & present)
        )

    def __len__(self) -> int:
        return len(self.ids)

    def mask(
        self,
        *,
        categories: Collection[str] | None = None,
        min_price: float | None = None,
        max_price: float | None = None,
        available_only: bool = False,
    ) -> BoolArray:
        """Return a mask `(I,)` of the items that are not deleted and pass all filters.

        Args:
            categories: names, of which unknown ones match nothing. `Comedy|Drama` is matched by its whole name and by
                each part, `Clothing > Hats` by any level, and by levels that follow each other
                (`recsys.dataset.categories.in_category`).
            min_price: inclusive; items without a price do not pass.
            max_price: inclusive; items without a price do not pass.
            available_only: leave out items that are not available.
        """
        passing = (self.available if available_only else self.present).copy()
        if categories is not None:
            wanted = np.zeros(len(self.category_names), dtype=np.bool_)
            wanted[[code for name in categories for code in self._category_codes(name)]] = True
            passing &= wanted[self.category_codes]  # (G,) by category -> (I,) by item
        if min_price is not None:
            passing &= self.prices >= np.float32(min_price)
        if max_price is not None:
            passing &= self.prices <= np.float32(max_price)
        return passing

    def _category_codes(self, name: str) -> list[int]:
        return [code for code, whole in enumerate(self.category_names) if in_category(whole, name)]


def _variant_groups(frame: pd.DataFrame) -> IntArray | None:
    if ITEM_GROUP_ID not in frame:
        return None
    # Only equality matters, so numbers need no particular text.
    names = frame[ITEM_GROUP_ID]
    named = (names.notna() & (names.astype(str).str.strip() != "")).to_numpy()
    codes = pd.factorize(names)[0].astype(np.int64)
    if not names[named].duplicated().any():
        return None
    # An item without a group is one of its own.
    codes[~named] = codes.max() + 1 + np.arange(int((~named).sum()))
    return _frozen(codes)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array = array.copy()
    array.flags.writeable = False
    return array

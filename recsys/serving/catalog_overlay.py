"""Catalog overlay: live changes of the catalog, applied to a recommender in a fraction of a second.

New, changed and deleted items count without training and without a new version of the model.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import pandas as pd

from recsys.bundle.checks import check_unit
from recsys.bundle.types import Bundle
from recsys.dataset.catalog import Catalog
from recsys.dataset.live import keep_other_fields
from recsys.errors import DataError
from recsys.models.validation import Expected, check_array
from recsys.ranking.recommender import Recommender
from recsys.schema import AVAILABLE, CATEGORY, IMAGE, ITEM_COLUMNS, ITEM_ID, PRICE, TITLE, FloatArray, IntArray
from recsys.training.refresh import with_room
from style.vector import DIMENSIONS


class ItemChange(Protocol):
    """Present state of one item that was changed since its import. The state with the larger `seq` is valid.

    `price` is None if unknown, `image` is "" without an image. `vector` is the unit style vector (128,) of the image,
    computed by `embedder`, or None if unknown. Only the id of a deleted item is used.
    """

    @property
    def item_id(self) -> str:
        """Return the id."""
        ...

    @property
    def seq(self) -> int:
        """Return the number of the change; a larger one is later."""
        ...

    @property
    def deleted(self) -> bool:
        """Return if the item was deleted."""
        ...

    @property
    def title(self) -> str:
        """Return the title."""
        ...

    @property
    def category(self) -> str:
        """Return the category."""
        ...

    @property
    def price(self) -> float | None:
        """Return the price; None if unknown."""
        ...

    @property
    def available(self) -> bool:
        """Return if the item can be bought."""
        ...

    @property
    def image(self) -> str:
        """Return the path of the image; "" without one."""
        ...

    @property
    def vector(self) -> FloatArray | None:
        """Return the unit style vector (128,) of the image; None if unknown."""
        ...

    @property
    def embedder(self) -> str | None:
        """Return the name of the embedder of `vector`; None if unknown."""
        ...

    @property
    def fields(self) -> frozenset[str] | None:
        """Return the fields that it sets; the others are the bundle's. None: all."""
        ...


class ChangedRecommender(Recommender):
    """Recommender with live changes of its catalog.

    It depends only on the recommender without changes and on the latest change of each item, so the order in which
    changes arrive does not matter.
    """

    def __init__(self, base: Recommender, changes: Mapping[str, ItemChange]) -> None:
        self.base, self.changes = base, changes
        bundle, changed_rows = _apply_changes(base.bundle, [changes[item_id] for item_id in sorted(changes)])
        super().__init__(bundle, previous=base, changed_rows=changed_rows)


def with_changes(recommender: Recommender, changes: Sequence[ItemChange]) -> Recommender:
    """Return a recommender with changes of the catalog, in a fraction of a second; `recommender` stays as it is.

    Unknown items are added as by `recsys.training.refresh.add_items`. Title, category, price, availability and image of
    known items are replaced. A changed image counts as none if its vector is unknown or of another style space. No
    request finds deleted items, but the interactions with them still count for users, and for the items if they come
    back. Centers of the style space and the version stay, because the model is the same.

    Raises:
        DataError: A change is invalid, see `check_change`.
    """
    base, latest = recommender, dict[str, ItemChange]()
    if isinstance(recommender, ChangedRecommender):
        base, latest = recommender.base, dict(recommender.changes)
    for change in changes:
        check_change(change)
        if change.item_id not in latest or latest[change.item_id].seq <= change.seq:
            latest[change.item_id] = change
    return ChangedRecommender(base, latest) if latest else recommender


def check_change(change: ItemChange) -> None:
    """Raise DataError with the item's id if its price or vector is invalid."""
    place = f"change {change.seq} of item {change.item_id!r}"
    if change.price is not None and not 0 <= change.price < np.inf:
        raise DataError(f"{place}: price {change.price} is no number of at least 0; send the item again")
    if change.vector is not None:
        try:
            check_array(f"{place}: vector", change.vector, Expected((DIMENSIONS,)))
            check_unit(f"{place}: vector", change.vector[None])
        except DataError as error:
            raise DataError(f"{error}; send the item's image again") from None


@dataclass(frozen=True, slots=True, eq=False)
class _ItemStates:
    """Items that are not deleted: their rows (n,), columns of the catalog, and style vectors (n, 128)."""

    rows: IntArray
    columns: pd.DataFrame
    vectors: FloatArray

    @classmethod
    def from_changes(cls, rows: IntArray, changes: Sequence[ItemChange], bundle: Bundle) -> Self:
        vectors = [_vector(change, int(row), bundle) for row, change in zip(rows, changes, strict=True)]
        columns = {
            ITEM_ID: [change.item_id for change in changes],
            TITLE: [change.title for change in changes],
            CATEGORY: [change.category for change in changes],
            PRICE: [np.nan if change.price is None else change.price for change in changes],
            AVAILABLE: [change.available for change in changes],
            IMAGE: [change.image for change in changes],
        }
        dtypes = {column: bundle.items.dtypes[column] for column in ITEM_COLUMNS}
        frame = pd.DataFrame(columns)[list(ITEM_COLUMNS)].astype(dtypes)
        return cls(
            rows,
            keep_other_fields(frame, bundle.items, changes),
            np.array(vectors, dtype=np.float32).reshape(-1, bundle.space.dimensions),
        )


def _vector(change: ItemChange, row: int, bundle: Bundle) -> FloatArray:
    if change.fields is not None and IMAGE not in change.fields:
        kept: FloatArray = bundle.space.vectors[row]
        return kept
    # Vectors of different style spaces are not comparable.
    if change.vector is not None and change.embedder == bundle.embedder:
        return change.vector
    same = row >= 0 and change.image == bundle.catalog.images[row] and change.image != ""
    return bundle.space.vectors[row] if same else np.zeros(bundle.space.dimensions, dtype=np.float32)


def _apply_changes(bundle: Bundle, changes: Sequence[ItemChange]) -> tuple[Bundle, IntArray]:
    """Return the bundle with one change per item, and the rows whose style directions differ.

    The rows (n,) are ascending and those of known items with another style vector or category.
    """
    all_rows = bundle.catalog.ids.find([change.item_id for change in changes])
    by_row = sorted(zip(all_rows.tolist(), changes, strict=True), key=lambda pair: pair[0])
    # A change in part adds no item: the rest of it would be unknown.
    present = [(row, one) for row, one in by_row if not one.deleted and (row >= 0 or one.fields is None)]
    known, new = (
        _ItemStates.from_changes(np.array(rows, dtype=np.int64), each, bundle)
        for rows, each in (_split(present, is_known=True), _split(present, is_known=False))
    )
    frame = _frame(bundle.items, known, new)
    gone = np.array([row for row, change in by_row if change.deleted and row >= 0], dtype=np.int64)
    catalog = Catalog.from_frame(frame, sort=False).without(gone)
    # Known items whose style direction differs: the vector changed, or the category, whose center is subtracted.
    moved = (known.vectors != bundle.space.vectors[known.rows]).any(axis=1)
    moved |= known.columns[CATEGORY].to_numpy() != bundle.items[CATEGORY].to_numpy()[known.rows]
    moved_rows, vectors = known.rows[moved], known.vectors[moved]
    rows = np.concatenate([moved_rows, np.arange(len(bundle.catalog), len(catalog))])
    # Centers (categories, 128) by the catalog's codes; new categories get the global center.
    codes = {name: code for code, name in enumerate(bundle.catalog.category_names)}
    centers = np.array(
        [
            bundle.space.centers[codes[name]] if name in codes else bundle.space.center
            for name in catalog.category_names
        ],
        dtype=np.float32,
    )
    space = bundle.space.with_changes(
        rows,
        np.concatenate([vectors, new.vectors]),
        catalog.category_codes[rows],
        centers,
    )
    if len(moved_rows):
        bundle = replace(bundle, factors=copy.copy(bundle.factors).describe_items(moved_rows, vectors))
    # Descriptors belong to the previous photo.
    photos_before = bundle.items[IMAGE].to_numpy()[known.rows]
    others = known.rows[known.columns[IMAGE].to_numpy() != photos_before]
    bundle = replace(bundle, descriptors=bundle.descriptors.without(others))
    return replace(with_room(bundle, new.vectors), items=frame, catalog=catalog, space=space), moved_rows


def _split(present: Sequence[tuple[int, ItemChange]], *, is_known: bool) -> tuple[list[int], list[ItemChange]]:
    # Unknown items have row -1.
    chosen = [pair for pair in present if (pair[0] >= 0) is is_known]
    return [row for row, _ in chosen], [change for _, change in chosen]


def _frame(items: pd.DataFrame, known: _ItemStates, new: _ItemStates) -> pd.DataFrame:
    """Return the catalog's table with the present columns of known items, followed by new items."""
    frame = items.copy()
    for column in ITEM_COLUMNS:
        values = items[column].to_numpy(copy=True)
        values[known.rows] = known.columns[column].to_numpy()
        frame[column] = pd.Series(values, dtype=items[column].dtype)
    if not len(new.rows):
        return frame
    dtypes = {column: items.dtypes[column] for column in ITEM_COLUMNS}
    return pd.concat([frame, new.columns.reindex(columns=items.columns)], ignore_index=True).astype(dtypes)

"""Live changes of the catalog: new, changed and deleted items are recommended, shown and gone in a fraction of a
second, without training and without a new version of the model."""

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
from recsys.errors import DataError
from recsys.models.validation import Expected, check_array
from recsys.ranking.recommender import Recommender
from recsys.schema import AVAILABLE, CATEGORY, IMAGE, ITEM_COLUMNS, ITEM_ID, PRICE, TITLE, FloatArray, IntArray
from recsys.training.refresh import with_room
from style.vector import DIMENSIONS


class ItemChange(Protocol):
    """The present state of one item that was changed since it was imported; of two states the one with the larger
    `seq` holds.

    `price` is None where unknown, `image` "" without a picture. `vector`: the picture's unit style vector (128,), made
    by `embedder`; None where it is not known. Of a deleted item nothing but its id matters.
    """

    @property
    def item_id(self) -> str: ...
    @property
    def seq(self) -> int: ...
    @property
    def deleted(self) -> bool: ...
    @property
    def title(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def price(self) -> float | None: ...
    @property
    def available(self) -> bool: ...
    @property
    def image(self) -> str: ...
    @property
    def vector(self) -> FloatArray | None: ...
    @property
    def embedder(self) -> str | None: ...


class ChangedRecommender(Recommender):
    """A recommender with live changes of its catalog: `base` is the one without, `changes` the latest of each item.

    It is a function of these two alone, so that it does not matter in which portions changes arrived.
    """

    def __init__(self, base: Recommender, changes: Mapping[str, ItemChange]) -> None:
        self.base, self.changes = base, changes
        bundle, changed_rows = _changed(base.bundle, [changes[item_id] for item_id in sorted(changes)])
        super().__init__(bundle, previous=base, changed_rows=changed_rows)


def with_changes(recommender: Recommender, changes: Sequence[ItemChange]) -> Recommender:
    """A recommender of the catalog as it is now, in a fraction of a second; the one given serves on meanwhile.

    Items that it did not know are new in every sense, as in `recsys.training.refresh.add_items`. Of known ones title,
    category, price, availability and picture are replaced; a changed picture whose vector is not known, or of another
    style space, counts as none.
    Deleted ones are found by no request, though what people did with them still says something of these people; an
    item that comes back has all of that again. Centers of the style space stay, and so does the version: the model is
    the same. Raises DataError for a change that cannot be, see `check_change`.
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
    """Raises DataError that names the item whose price or vector is none."""
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
class _Stated:
    """Items that are not deleted, by `rows` (n,), with their `facts` and style `vectors` (n, 128)."""

    rows: IntArray
    facts: pd.DataFrame
    vectors: FloatArray

    @classmethod
    def of(cls, rows: IntArray, changes: Sequence[ItemChange], bundle: Bundle) -> Self:
        vectors = [_vector(change, int(row), bundle) for row, change in zip(rows, changes, strict=True)]
        facts = {
            ITEM_ID: [change.item_id for change in changes],
            TITLE: [change.title for change in changes],
            CATEGORY: [change.category for change in changes],
            PRICE: [np.nan if change.price is None else change.price for change in changes],
            AVAILABLE: [change.available for change in changes],
            IMAGE: [change.image for change in changes],
        }
        dtypes = {column: bundle.items.dtypes[column] for column in ITEM_COLUMNS}
        return cls(
            rows,
            pd.DataFrame(facts)[list(ITEM_COLUMNS)].astype(dtypes),
            np.array(vectors, dtype=np.float32).reshape(-1, bundle.space.dimensions),
        )


def _vector(change: ItemChange, row: int, bundle: Bundle) -> FloatArray:
    # A vector of another style space says nothing in this one.
    if change.vector is not None and change.embedder == bundle.embedder:
        return change.vector
    same = row >= 0 and change.image == bundle.catalog.images[row] and change.image != ""
    return bundle.space.vectors[row] if same else np.zeros(bundle.space.dimensions, dtype=np.float32)


def _changed(bundle: Bundle, changes: Sequence[ItemChange]) -> tuple[Bundle, IntArray]:
    """The bundle with changes, one for each item, and the rows (n,), ascending, of items that it knew whose style
    vectors or categories are others now."""
    found = bundle.catalog.ids.find([change.item_id for change in changes])
    by_row = sorted(zip(found.tolist(), changes, strict=True), key=lambda pair: pair[0])
    stated = [(row, change) for row, change in by_row if not change.deleted]
    known, new = (
        _Stated.of(np.array(rows, dtype=np.int64), each, bundle)
        for rows, each in (_unzipped(stated, is_known=True), _unzipped(stated, is_known=False))
    )
    frame = _frame(bundle.items, known, new)
    gone = np.array([row for row, change in by_row if change.deleted and row >= 0], dtype=np.int64)
    catalog = Catalog.from_frame(frame, sort=False).without(gone)
    moved = (known.vectors != bundle.space.vectors[known.rows]).any(axis=1)
    moved |= known.facts[CATEGORY].to_numpy() != bundle.items[CATEGORY].to_numpy()[known.rows]
    places, vectors = known.rows[moved], known.vectors[moved]
    rows = np.concatenate([places, np.arange(len(bundle.catalog), len(catalog))])
    space = bundle.space.with_changes(
        rows, np.concatenate([vectors, new.vectors]), catalog.category_codes[rows], _centers(bundle, catalog)
    )
    if len(places):
        bundle = replace(bundle, factors=copy.copy(bundle.factors).describe_items(places, vectors))
    # What is known of colors and shapes is of the photo that was there.
    photos_before = bundle.items[IMAGE].to_numpy()[known.rows]
    others = known.rows[known.facts[IMAGE].to_numpy() != photos_before]
    bundle = replace(bundle, descriptors=bundle.descriptors.without(others))
    return replace(with_room(bundle, new.vectors), items=frame, catalog=catalog, space=space), places


def _unzipped(stated: Sequence[tuple[int, ItemChange]], *, is_known: bool) -> tuple[list[int], list[ItemChange]]:
    chosen = [pair for pair in stated if (pair[0] >= 0) is is_known]
    return [row for row, _ in chosen], [change for _, change in chosen]


def _frame(items: pd.DataFrame, known: _Stated, new: _Stated) -> pd.DataFrame:
    """All items: with their present facts, the new ones behind the others."""
    frame = items.copy()
    for column in ITEM_COLUMNS:
        values = items[column].to_numpy(copy=True)
        values[known.rows] = known.facts[column].to_numpy()
        frame[column] = pd.Series(values, dtype=items[column].dtype)
    if not len(new.rows):
        return frame
    dtypes = {column: items.dtypes[column] for column in ITEM_COLUMNS}
    return pd.concat([frame, new.facts.reindex(columns=items.columns)], ignore_index=True).astype(dtypes)


def _centers(bundle: Bundle, catalog: Catalog) -> FloatArray:
    """The bundle's centers by the catalog's codes; of a category that it did not have, the center of everything."""
    codes = {name: code for code, name in enumerate(bundle.catalog.category_names)}
    centers, anything = bundle.space.centers, bundle.space.center
    return np.array(
        [centers[codes[name]] if name in codes else anything for name in catalog.category_names], dtype=np.float32
    )

"""Read access to the catalog of a bundle: item cards, photos, ids, and the filters of requests."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from recsys.bundle.types import Bundle
from recsys.dataset.categories import category_path, category_paths
from recsys.errors import RequestError
from recsys.profiles.cold_start import Profile
from recsys.ranking.request import Filters
from recsys.ranking.variants import Variants, with_siblings
from recsys.schema import BoolArray, FloatArray, IntArray, ItemId, ItemRow, Kinds
from style.vector import StyleVector


@dataclass(frozen=True, slots=True)
class ItemCard:
    """Facts of an item for display; `price` is None if unknown, `image` is None if the item has no photo."""

    item_id: ItemId
    title: str
    category: str
    price: float | None
    available: bool
    image: Path | None


class CatalogView:
    """View of the catalog of one bundle, with I items. Immutable, hence safe to share between threads."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._catalog = bundle.catalog
        self._seen = Kinds.from_kinds(bundle.settings.events.seen)

    def __len__(self) -> int:
        return len(self._catalog)

    def has_item(self, item_id: ItemId) -> bool:
        """Return True if the catalog has the item."""
        return item_id in self._catalog.ids

    def row(self, item_id: ItemId) -> ItemRow:
        """Return the row of an item, which stays the same as long as this bundle serves. Raises UnknownIdError."""
        return self._catalog.ids.row(item_id)

    def present_ids(self, rows: Iterable[int]) -> list[ItemId]:
        """Return the ids of those rows that hold an item at present."""
        wanted = np.fromiter(rows, dtype=np.int64)
        # A log may name rows of items that were added after this bundle was built.
        wanted = wanted[wanted < len(self._catalog)]
        return self._catalog.ids.ids(wanted[self._catalog.present[wanted]])

    def mask(self, ids: Collection[ItemId]) -> BoolArray:
        """Return a mask (I,) of the items with one of these ids; unknown ids are ignored."""
        mask = np.zeros(len(self._catalog), dtype=np.bool_)
        if ids:
            rows = self._catalog.ids.find(list(ids))
            mask[rows[rows >= 0]] = True
        return mask

    @cached_property
    def _categories(self) -> dict[tuple[str, ...], str]:
        """Parts of the paths of all categories of present items, and how to ask for them, in order of names."""
        codes = np.unique(self._catalog.category_codes[self._catalog.present])
        paths = {path for code in codes for path in category_paths(self._catalog.category_names[code])}
        parts = {path[i:j] for path in paths for i in range(len(path)) for j in range(i + 1, len(path) + 1)}
        return {part: " > ".join(part) for part in sorted(parts)}

    @cached_property
    def folded_categories(self) -> dict[str, str]:
        """Categories of present items and their parts, by their names without case; of several, the first."""
        return {name.casefold(): name for name in reversed(self._categories.values())}

    def find_category(self, name: str) -> str | None:
        """Return `name` if it is a category of an item, else the one that differs only in case; None if none does."""
        path = category_path(name)
        if path in self._categories or name in self._whole_categories:
            return name
        return self.folded_categories.get(" > ".join(path).casefold())

    @cached_property
    def _whole_categories(self) -> frozenset[str]:
        codes = np.unique(self._catalog.category_codes[self._catalog.present])
        return frozenset(self._catalog.category_names[code] for code in codes)

    def filter_items(self, filters: Filters, profile: Profile | None) -> BoolArray:
        """Return a mask (I,) of the items that pass the filters of a request; without a profile nothing is seen.

        A category that no item has lets no item pass.

        Raises:
            RequestError: If the filters name a color and the bundle has no color descriptors.
        """
        allowed = self._catalog.mask(
            categories=filters.categories or None,
            min_price=filters.price_min,
            max_price=filters.price_max,
            available_only=not filters.unavailable,
        )
        if filters.color is not None:
            allowed &= self._bundle.descriptors.near_color(filters.color, filters.color_tolerance)
        groups = self.groups(filters)
        if filters.exclude:
            allowed &= ~with_siblings(self.mask(filters.exclude), groups)
        if profile is not None:
            allowed &= ~with_siblings(self._hidden(filters, profile), groups)
        return allowed

    def groups(self, filters: Filters) -> IntArray | None:
        """Return the codes (I,) of products whose variants share a position in a list, None if none do."""
        return None if filters.variants is Variants.ALL else self._catalog.groups

    def explain_empty(self, filters: Filters, profile: Profile) -> str:
        """Return in one sentence why no item passes the filters of a request."""
        if not self._catalog.present.any():
            return "The catalog has no items."
        if not self.filter_items(Filters(seen=True), None).any():
            return "No item of the catalog is available."
        if not self.filter_items(replace(filters, exclude=frozenset()), None).any():
            return "No available item passes the filters of category, price and color."
        if not self.filter_items(filters, None).any():
            return "The request excludes each item that passes the other filters."
        if not self.filter_items(replace(filters, seen=True), profile).any():
            return "The user dislikes each item that passes the filters."
        return (
            "The user has seen each item that passes the filters; include_seen brings them back, and the setting "
            "events.seen says which events make an item seen."
        )

    def _hidden(self, filters: Filters, profile: Profile) -> BoolArray:
        """Return a mask (I,) of the items of a history that are left out: disliked ones, and those that were seen."""
        hidden = Kinds.DISLIKE
        if not filters.seen:
            hidden |= self._seen if filters.seen_kinds is None else filters.seen_kinds
        mask = np.zeros(len(self._catalog), dtype=np.bool_)
        mask[profile.interacted[(profile.kinds & np.uint8(hidden)) != 0]] = True
        return mask

    def card(self, item_id: ItemId) -> ItemCard:
        """Return the facts of an item for display. Raises UnknownIdError."""
        row = self.row(item_id)
        price, image = float(self._catalog.prices[row]), str(self._catalog.images[row])
        return ItemCard(
            item_id=item_id,
            title=str(self._catalog.titles[row]),
            category=self._catalog.category_names[self._catalog.category_codes[row]],
            price=None if np.isnan(price) else round(price, 2),
            available=bool(self._catalog.available[row]),
            image=self._bundle.image_root / image if image else None,
        )

    def name(self, row: int) -> str:
        """Return the title of an item, or its id if it has no title."""
        return str(self._catalog.titles[row]) or self._catalog.ids.id(ItemRow(int(row)))

    def style(self, item_id: ItemId) -> StyleVector:
        """Return an item's own style vector.

        Raises:
            UnknownIdError: If the catalog does not have the item.
            RequestError: If the item has no photo.
        """
        vector = self._bundle.space.vectors[self.row(item_id)]
        if not vector.any():
            raise RequestError("item_id", f"{item_id!r} has no photo, hence no style")
        return StyleVector.from_values(vector)

    def photo(self, item_id: ItemId) -> tuple[str, FloatArray]:
        """Return an item's photo as the catalog names it ("" for none) and its style vector (128,), zeros for none.

        Raises UnknownIdError.
        """
        row = self.row(item_id)
        return str(self._catalog.images[row]), np.asarray(self._bundle.space.vectors[row])

    def image_paths(self) -> Iterator[Path]:
        """Yield the path of each photo and of each style reference's image; some files may be missing."""
        for image in (*self._catalog.images, *(card.image for card in self._bundle.styles)):
            if image:
                yield self._bundle.image_root / str(image)

    @cached_property
    def has_photos(self) -> bool:
        """True if any item has a photo."""
        return any(map(bool, self._catalog.images))

    @cached_property
    def with_style(self) -> BoolArray:
        """Mask (I,) of the items with a style vector.

        Computed at first use: it takes a pass over all vectors, and adding a new item must not wait for it.
        """
        return np.asarray(self._bundle.space.vectors.any(axis=1))

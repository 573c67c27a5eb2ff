"""Large synthetic catalogs with interactions: power laws, styles and categories, built by array operations only.

They replace data that are too large to ship, so that time, memory and recall can be measured. They do not measure the
quality of recommendations, which needs the behavior model of `recsys.simulation.interactions`, one event at a time.

- Items have a category (shares by Zipf's law) and a style. Their style vectors are a mixture of directions: a mean of
  all, one of the category, one of the style, and noise whose spectrum falls as 1 / sqrt(rank), like that of whitened
  image statistics.
- Popularity falls as (rank + 10)^-0.8; the number of a user's events is Pareto distributed (exponent 1.5).
- Each user likes two styles. 60 % of the events are of these (30 % of them of the second), the others of any style,
  all drawn by popularity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.clock import SECONDS_PER_DAY
from recsys.config import EventSettings
from recsys.dataset.identifiers import ItemIdentifiers, UserIdentifiers
from recsys.dataset.interactions import KINDS, Interactions
from recsys.rng import generator
from recsys.schema import (
    AVAILABLE,
    CATEGORY,
    IMAGE,
    ITEM_COLUMNS,
    ITEM_ID,
    PRICE,
    TITLE,
    EventKind,
    FloatArray,
    IntArray,
)
from recsys.simulation.activity import draw_heavy_tail
from recsys.simulation.preferences import draw_popularity

STYLES = 200
CATEGORIES = 60
DIMENSIONS = 128
DAYS = 180
LOYALTY = 0.6
"""Share of events with items of the user's styles."""
SECOND_SHARE = 0.3
"""Share of the second style in these events."""
POPULARITY_OFFSET = 10.0
_KIND_SHARES = {EventKind.VIEW: 0.6, EventKind.CLICK: 0.25, EventKind.CART: 0.1, EventKind.PURCHASE: 0.05}


@dataclass(frozen=True, slots=True)
class Size:
    """Size of a shop; `events` are drawn, so that users interact with some items several times."""

    users: int
    items: int
    events: int

    def __str__(self) -> str:
        return f"{self.items:,} items, {self.users:,} users, {self.events:,} events"


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """Synthetic shop.

    `items` has `recsys.schema.ITEM_COLUMNS`; `vectors` (I, 128) are unit style vectors; `interactions` are over both.
    """

    items: pd.DataFrame
    vectors: FloatArray
    interactions: Interactions


def synthetic_shop(size: Size, seed: int = 0) -> Shop:
    """Build a shop; the same size and seed give the same shop."""
    rng = generator(seed, "synthetic items")
    # Shares of categories fall as 1 / rank (Zipf's law).
    shares = 1.0 / np.arange(1, CATEGORIES + 1)
    categories: IntArray = rng.choice(CATEGORIES, size=size.items, p=shares / shares.sum())
    styles = rng.integers(STYLES, size=size.items)
    item_ids = [f"i{row:07d}" for row in range(size.items)]
    items = pd.DataFrame(
        {
            ITEM_ID: item_ids,
            TITLE: item_ids,
            CATEGORY: np.array([f"category {code:02d}" for code in range(CATEGORIES)], dtype=object)[categories],
            PRICE: np.exp(rng.normal(3.0, 0.7, size.items)).astype(np.float32),
            AVAILABLE: rng.random(size.items) < 0.97,
            IMAGE: "",
        }
    )[list(ITEM_COLUMNS)]
    vectors = style_vectors(styles, categories, seed)
    return Shop(items, vectors, _interactions(size, styles, ItemIdentifiers("item", item_ids), seed))


def style_vectors(styles: IntArray, categories: IntArray, seed: int) -> FloatArray:
    """Draw unit vectors (I, 128) of items with these styles and categories (I,)."""
    rng = generator(seed, "synthetic style vectors")
    spectrum = 1.0 / np.sqrt(np.arange(1, DIMENSIONS + 1))
    spectrum = (spectrum / np.linalg.norm(spectrum)).astype(np.float32)

    def directions(count: int, length: float) -> FloatArray:
        drawn = length * spectrum * rng.standard_normal((count, DIMENSIONS), dtype=np.float32)
        return np.asarray(drawn, dtype=np.float32)

    vectors = directions(len(styles), 0.7)
    vectors += directions(1, 0.5)
    vectors += directions(CATEGORIES, 0.5)[categories]
    vectors += directions(STYLES, 0.7)[styles]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors, dtype=np.float32)


def _interactions(size: Size, styles: IntArray, item_ids: ItemIdentifiers, seed: int) -> Interactions:
    rng = generator(seed, "synthetic events")
    user_ids = UserIdentifiers("user", [f"u{row:07d}" for row in range(size.users)])
    # Users get events in proportion to their activity.
    activity = np.cumsum(draw_heavy_tail(rng, size.users) + 0.3)
    users: IntArray = np.searchsorted(activity, rng.random(size.events) * activity[-1])
    items = _draw_items(rng, users, styles, size)
    kinds = rng.choice(len(KINDS), size=size.events, p=[_KIND_SHARES.get(kind, 0.0) for kind in KINDS])
    weights = np.array([EventSettings().weight(kind) for kind in KINDS], dtype=np.float32)[kinds]
    timestamps = np.sort(rng.integers(DAYS * SECONDS_PER_DAY, size=size.events))
    return Interactions(user_ids, item_ids, users, items, kinds.astype(np.int8), weights, timestamps)


def _draw_items(rng: np.random.Generator, users: IntArray, styles: IntArray, size: Size) -> IntArray:
    """Draw the item of each event (N,) by popularity, among the items of a style or among all."""
    popularity = draw_popularity(rng, size.items, offset=POPULARITY_OFFSET)
    # Items of one style are neighbors in `by_style`, so that a style is an interval of the cumulative popularity.
    by_style = np.argsort(styles, kind="stable")
    reached = np.concatenate([[0.0], np.cumsum(popularity[by_style])])
    bounds = np.searchsorted(styles[by_style], np.arange(STYLES + 1))
    liked = rng.integers(STYLES, size=(size.users, 2))
    style = liked[users, (rng.random(size.events) < SECOND_SHARE).astype(np.int64)]
    low, high = bounds[style], bounds[style + 1]
    any_style = (rng.random(size.events) >= LOYALTY) | (low == high)
    low[any_style], high[any_style] = 0, size.items
    drawn = reached[low] + rng.random(size.events) * (reached[high] - reached[low])
    # Rounding may push a draw out of its interval by one.
    index = np.clip(np.searchsorted(reached, drawn, side="right") - 1, low, high - 1)
    chosen: IntArray = by_style[index]
    return chosen

"""Types of ids and rows, names of columns and features, and kinds of events, for all packages.

External ids (`UserId`, `ItemId`) are strings and are used at the surface; dense rows (`UserRow`, `ItemRow`) are
positions in arrays and are used inside. They are different types so that a type checker keeps them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntFlag, StrEnum
from typing import NewType

import numpy as np
from numpy.typing import NDArray

UserId = NewType("UserId", str)
ItemId = NewType("ItemId", str)
UserRow = NewType("UserRow", int)
ItemRow = NewType("ItemRow", int)

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

USER_ID = "user_id"
ITEM_ID = "item_id"
TITLE = "title"
CATEGORY = "category"
PRICE = "price"
AVAILABLE = "available"
IMAGE = "image"
EVENT = "event"
WEIGHT = "weight"
TIMESTAMP = "timestamp"
TEXT = "text"
REVIEWS = "reviews"
IMAGE_URLS = "image_urls"
RATING = "rating"
QUANTITY = "quantity"
EVENT_ID = "event_id"
ITEM_GROUP_ID = "item_group_id"
OLD_ID = "old_id"

ITEM_COLUMNS = (ITEM_ID, TITLE, CATEGORY, PRICE, AVAILABLE, IMAGE)
"""`item_id` string, unique; `title` and `category` string ("" if unknown); `price` float64 (NaN if unknown);
`available` bool; `image` string, "" if none, else a path (relative ones start at the project folder).
Any further columns are attributes and are kept as strings or numbers. `item_group_id` is one of them: items that share
it are variants of one product, such as sizes of a shirt."""

INTERACTION_COLUMNS = (USER_ID, ITEM_ID, EVENT, WEIGHT, TIMESTAMP)
"""`event` one of `EventKind`; `weight` float32, negative for dislikes; `timestamp` int64 seconds since 1970 UTC.
Sorted by (timestamp, user_id, item_id, event), so that arrival order never matters."""

USER_COLUMNS = (USER_ID,)
"""`user_id` string, unique; any further columns are attributes."""


FEATURES = ("factors", "neighbors", "style", "popularity", "trend", "recency", "category", "price")
"""Features that the blend ranks by: the columns of a feature table, in order.

factors: p_u . q_i of collaborative filtering. neighbors: evidence from co-liked items for the user's likes. style:
largest inner product with a component of the taste. popularity: the factor model's item bias over its largest. trend:
present popularity, the same number from events faded by age. recency: 1 for an item that came just now, halved with
each half-life. category: the share of the user's likes in the item's category. price: exp(-|log price - the user's mean
log price|). All are 0 if unknown.
"""


class EventKind(StrEnum):
    """Kind of an event between a user and an item. Imports turn ratings into LIKE and DISLIKE by a threshold."""

    VIEW = "view"
    CLICK = "click"
    CART = "cart"
    PURCHASE = "purchase"
    LIKE = "like"
    DISLIKE = "dislike"


class Undo(StrEnum):
    """Event that takes back an earlier event of the same user and item; it is no opinion by itself."""

    REMOVE_FROM_CART = "remove_from_cart"
    REFUND = "refund"
    UNLIKE = "unlike"
    UNDISLIKE = "undislike"


TAKES_BACK: Mapping[Undo, EventKind] = {
    Undo.REMOVE_FROM_CART: EventKind.CART,
    Undo.REFUND: EventKind.PURCHASE,
    Undo.UNLIKE: EventKind.LIKE,
    Undo.UNDISLIKE: EventKind.DISLIKE,
}
"""Kind of the events that each undo takes back."""


class Kinds(IntFlag):
    """Set of kinds of events, in one byte."""

    NONE = 0
    VIEW = 1
    CLICK = 2
    CART = 4
    PURCHASE = 8
    LIKE = 16
    DISLIKE = 32

    @classmethod
    def from_kind(cls, kind: EventKind) -> Kinds:
        """Return the set with one kind."""
        return cls[kind.name]

    @classmethod
    def from_kinds(cls, kinds: Iterable[EventKind]) -> Kinds:
        """Return the set of several kinds."""
        return cls(sum({int(cls.from_kind(kind)) for kind in kinds}))


class Reranker(StrEnum):
    """Method that diversifies a list: maximal marginal relevance, a determinantal point process, or none."""

    MMR = "mmr"
    DPP = "dpp"
    NONE = "none"


class Basis(StrEnum):
    """Evidence that a list rests on, best first."""

    HISTORY = "history"
    SESSION = "session"
    STYLES = "styles"
    POPULAR = "popular"


BASIS_TEXTS = {
    Basis.HISTORY: "Based on this user's history.",
    Basis.SESSION: "Based on the items of this session.",
    Basis.STYLES: "Based on the chosen styles.",
    Basis.POPULAR: "Nothing is known about this user's taste yet: these are the most popular items.",
}
"""Sentence for each basis, in answers of the API and on pages."""


class Scope(StrEnum):
    """Permission of an API key: read answers, send events and items of the shop, or run the service."""

    READ = "read"
    EVENTS = "events"
    ADMIN = "admin"

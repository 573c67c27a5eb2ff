"""Labels of events and features on pages."""

from __future__ import annotations

from recsys.schema import EventKind

EVENT_WORDS = {
    EventKind.VIEW: "viewed",
    EventKind.CLICK: "clicked",
    EventKind.CART: "added to cart",
    EventKind.PURCHASE: "bought",
    EventKind.LIKE: "liked",
    EventKind.DISLIKE: "disliked",
}

FEATURE_WORDS = {
    "factors": "similar users",
    "neighbors": "liked together",
    "style": "style",
    "popularity": "popularity",
    "trend": "trend",
    "recency": "new",
    "category": "category",
    "price": "price",
}

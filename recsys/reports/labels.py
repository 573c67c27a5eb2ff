"""What the system's codes are called where people read them."""

from __future__ import annotations

from recsys.profiles.style_library import StyleNeighbor
from recsys.ranking.request import TasteMode
from recsys.schema import Basis, EventKind

LEAST_SIMILARITY = 0.5
"""Style references at least this near, as a share of the nearest one's cosine, are worth naming."""

BASIS_WORDS = {
    Basis.HISTORY: "Based on what this person has done so far.",
    Basis.SESSION: "Based on the items of this session.",
    Basis.CHOSEN_STYLE: "Based on the chosen styles.",
    Basis.POPULAR: "Nothing is known about this person yet: these are the most popular items.",
}

EVENT_WORDS = {
    EventKind.VIEW: "looked at",
    EventKind.CLICK: "clicked",
    EventKind.CART: "put in the cart",
    EventKind.PURCHASE: "bought",
    EventKind.LIKE: "liked",
    EventKind.DISLIKE: "disliked",
}

FEATURE_WORDS = {
    "factors": "people alike",
    "neighbors": "liked together",
    "style": "style",
    "popularity": "popularity",
    "trend": "trend",
    "fresh": "new",
    "category": "category",
    "price": "price",
}


def named_styles(mode: TasteMode) -> list[StyleNeighbor]:
    """The style references that say something of a mode: the nearest, and those about as near."""
    nearest = max((style.similarity for style in mode.styles), default=0.0)
    return [style for style in mode.styles if style.similarity > 0 and style.similarity >= LEAST_SIMILARITY * nearest]

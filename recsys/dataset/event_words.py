"""Words for events, as logs and clients of other systems write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from recsys.schema import EventKind, Undo

SYNONYMS: Mapping[EventKind | Undo, tuple[str, ...]] = {
    EventKind.VIEW: (
        *("pageview", "page_view", "pv", "impression", "detail", "viewed", "view_item", "product_view"),
        *("product_viewed", "viewed_product", "view_product", "view_content"),
    ),
    EventKind.CLICK: (
        *("clicked", "select", "open", "select_item"),
        *("product_clicked", "clicked_product", "click_item"),
    ),
    EventKind.CART: (
        *("add_to_cart", "addtocart", "add_to_basket", "basket", "add", "added_to_cart"),
        *("product_added", "product_added_to_cart", "cart_add"),
    ),
    EventKind.PURCHASE: (
        *("buy", "bought", "order", "ordered", "transaction", "sale", "purchased", "checkout"),
        *("order_completed", "completed_order", "placed_order", "ordered_product", "checkout_completed"),
        "order_placed",
    ),
    EventKind.LIKE: (
        *("liked", "fav", "favorite", "favourite", "wishlist", "upvote", "thumbs_up", "save"),
        *("add_to_wishlist", "subscribe", "follow", "star", "bookmark"),
        *("product_added_to_wishlist", "wishlist_add", "added_to_wishlist"),
    ),
    EventKind.DISLIKE: ("disliked", "hide", "downvote", "thumbs_down", "not_interested"),
    Undo.REMOVE_FROM_CART: (
        *("removed_from_cart", "removefromcart", "remove_cart", "cart_remove", "delete_from_cart"),
        *("remove_from_basket", "removed_from_basket", "uncart", "product_removed", "product_removed_from_cart"),
    ),
    Undo.REFUND: (
        *("refunded", "return", "returned", "chargeback", "unpurchase"),
        *("cancel", "canceled", "cancelled", "cancel_order", "order_canceled", "order_cancelled"),
        "order_refunded",
    ),
    Undo.UNLIKE: (
        *("unliked", "unfav", "unfavorite", "unfavourite", "unsave", "unstar", "unbookmark", "remove_like"),
        *("remove_from_wishlist", "remove_from_favorites", "unsubscribe", "unsubscribed", "unfollow", "unfollowed"),
        *("remove_upvote", "undo_like", "product_removed_from_wishlist", "wishlist_remove"),
    ),
    Undo.UNDISLIKE: ("undisliked", "unhide", "remove_dislike", "undo_dislike", "remove_downvote"),
}
"""Other words of each event; case, spaces and hyphens do not matter."""

_EVENTS = {word: event for event, words in SYNONYMS.items() for word in (event.value, *words)}


@lru_cache(maxsize=1024)
def find_event(word: str) -> EventKind | Undo | None:
    """Return the event that a word means, or None if it means none; `AddToCart` is read as `add_to_cart`."""
    separated = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word.strip())
    return _EVENTS.get(re.sub(r"[\s\-]+", "_", separated).lower())

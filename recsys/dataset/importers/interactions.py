"""Rows of interactions: event, weight and time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.config import EventSettings
from recsys.dataset.importers.table import RowCheck
from recsys.dataset.importers.values import as_bools, as_series, describe_number, describe_time, is_blank
from recsys.dataset.splits import SPLIT_PART, SplitPart
from recsys.schema import EVENT, ITEM_ID, RATING, TIMESTAMP, USER_ID, WEIGHT, EventKind, IntArray

KINDS = tuple(EventKind)
SYNONYMS = {
    EventKind.VIEW: ("pageview", "page_view", "pv", "impression", "detail", "viewed"),
    EventKind.CLICK: ("clicked", "select", "open"),
    EventKind.CART: ("add_to_cart", "addtocart", "add_to_basket", "basket", "add"),
    EventKind.PURCHASE: ("buy", "bought", "order", "ordered", "transaction", "sale", "purchased", "checkout"),
    EventKind.LIKE: ("liked", "fav", "favorite", "favourite", "wishlist", "upvote", "thumbs_up", "save"),
    EventKind.DISLIKE: ("disliked", "hide", "downvote", "thumbs_down", "not_interested"),
}
_CODES = {word: code for code, kind in enumerate(KINDS) for word in (kind.value, *SYNONYMS[kind])}


def parse_interactions(
    check: RowCheck, settings: EventSettings, known_items: pd.Series, rejected_items: frozenset[str]
) -> pd.DataFrame:
    """Parse all N rows into `INTERACTION_COLUMNS`, and `rating` if the file has it; bad rows are flagged in `check`.

    The event is the file's. Without an event column, a rating at or above `settings.rating_threshold` is a like and
    one below it a dislike; with neither, every row is a click. The weight is the file's, else the event's. Without
    timestamps all are 0.

    Args:
        check: table of the file.
        settings: weights of events and the threshold of ratings.
        known_items: ids that rows may name.
        rejected_items: ids of items whose own rows were bad; the message about them says so.
    """
    users, items = check.require(USER_ID), check.require(ITEM_ID)
    check.flag(is_blank(users), USER_ID, lambda _: "empty id; name the user")
    check.flag(is_blank(items), ITEM_ID, lambda _: "empty id; name the item")
    known = as_bools(pc.is_in(items, pa.array(known_items, pa.string())))
    check.flag(~known & ~is_blank(items), ITEM_ID, lambda value: describe_unknown_item(value, rejected_items))
    ratings = _numbers(check, RATING)
    codes = _event_codes(check, ratings, settings)
    columns = {
        USER_ID: as_series(users),
        ITEM_ID: as_series(items),
        EVENT: pa.DictionaryArray.from_arrays(codes, [kind.value for kind in KINDS]).cast(pa.string()).to_pandas(),
        WEIGHT: _weights(check, codes, settings),
        TIMESTAMP: _timestamps(check),
    }
    if ratings is not None:
        columns[RATING] = ratings
    return pd.DataFrame(columns)


def finish_interactions(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Sort by (timestamp, user_id, item_id, event), drop repeats of these four, and count them.

    Of repeats, the one with the largest weight (then rating) stays, whatever their order. If both parts of a split
    have a row, the train part's stays. Rows without a part, beside others with one, belong to the train part.
    """
    if SPLIT_PART in frame:
        frame = frame.assign(**{SPLIT_PART: frame[SPLIT_PART].fillna(SplitPart.TRAIN.value)})
    keys = [
        frame[TIMESTAMP].to_numpy(),
        *(pd.factorize(frame[name], sort=True)[0] for name in (USER_ID, ITEM_ID)),
    ]
    keys.append(pd.factorize(frame[EVENT], sort=True)[0])
    amounts = [(frame[SPLIT_PART] == SplitPart.TRAIN).to_numpy()] if SPLIT_PART in frame else []
    amounts += [frame[name].to_numpy() for name in (WEIGHT, RATING) if name in frame]
    # lexsort sorts by its last key first: by the four keys, then train before test, weight and rating ascending.
    order = np.lexsort([*reversed(amounts), *reversed(keys)])
    # The last row of each run of equal keys is the one that stays.
    same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    last = np.append(~same, True)[: len(order)]
    return frame.iloc[order[last]].reset_index(drop=True), int(len(order) - last.sum())


def _event_codes(check: RowCheck, ratings: NDArray[np.float32] | None, settings: EventSettings) -> NDArray[np.int8]:
    column = check.column(EVENT)
    if column is not None:
        encoded = column.dictionary_encode()
        words = (word.lower().replace(" ", "_").replace("-", "_") for word in encoded.dictionary.to_pylist())
        kinds = np.array([_CODES.get(word, -1) for word in words], dtype=np.int8)
        indices: NDArray[np.int32] = encoded.indices.to_numpy()
        codes = kinds[indices]
        check.flag(codes < 0, EVENT, lambda value: f"{value!r} is not an event; use one of {', '.join(KINDS)}")
        return codes.clip(min=0)
    if ratings is not None:
        like, dislike = np.int8(KINDS.index(EventKind.LIKE)), np.int8(KINDS.index(EventKind.DISLIKE))
        return np.where(ratings >= settings.rating_threshold, like, dislike).astype(np.int8)
    return np.full(len(check.table), KINDS.index(EventKind.CLICK), dtype=np.int8)


def _weights(check: RowCheck, codes: NDArray[np.int8], settings: EventSettings) -> NDArray[np.float32]:
    given = _numbers(check, WEIGHT)
    if given is None:
        return np.array([settings.weight(kind) for kind in KINDS], dtype=np.float32)[codes]
    dislikes = codes == KINDS.index(EventKind.DISLIKE)
    check.flag(dislikes & (given > 0), WEIGHT, lambda value: f"{value} for a dislike; it must not be positive")
    check.flag(~dislikes & (given < 0), WEIGHT, lambda value: f"{value} is negative; only a dislike may have that")
    return given


def _timestamps(check: RowCheck) -> IntArray:
    if check.column(TIMESTAMP) is None:
        return np.zeros(len(check.table), dtype=np.int64)
    seconds, bad = check.times(TIMESTAMP)
    check.flag(bad, TIMESTAMP, describe_time)
    return seconds


def _numbers(check: RowCheck, name: str) -> NDArray[np.float32] | None:
    column = check.column(name)
    if column is None:
        return None
    values, bad = check.numbers(name)
    if name == RATING and EVENT in check.names:
        # If there is an event column, most rows have no rating.
        bad &= ~is_blank(column)
    check.flag(bad, name, lambda value: describe_number(value, "write 3.5"))
    return values.astype(np.float32)


def describe_unknown_item(value: str, rejected_items: frozenset[str]) -> str:
    """Return the message about a row of an item that the catalog does not have; see `parse_interactions`."""
    if value in rejected_items:
        return f"item {value!r} was left out of the catalog because its own row is bad; correct that row"
    return f"item {value!r} is not in the catalog; add it to the items or remove this row"

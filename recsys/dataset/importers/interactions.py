"""Interactions: what a row says a person did, what it weighs, and when."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.config import EventSettings
from recsys.dataset.importers.table import RowCheck
from recsys.dataset.importers.values import as_bools, as_series, blank, numbers, timestamps
from recsys.dataset.splits import PART, Part
from recsys.schema import EVENT, ITEM_ID, RATING, TIMESTAMP, USER_ID, WEIGHT, EventKind, IntArray

KINDS = tuple(EventKind)
SYNONYMS = {
    EventKind.VIEW: ("pageview", "page_view", "pv", "impression", "detail", "viewed"),
    EventKind.CLICK: ("clicked", "select", "open"),
    EventKind.CART: ("add_to_cart", "addtocart", "add_to_basket", "basket", "add"),
    EventKind.PURCHASE: ("buy", "bought", "order", "ordered", "transaction", "sale", "purchased", "checkout"),
    EventKind.LIKE: ("liked", "fav", "favorite", "favorite", "wishlist", "upvote", "thumbs_up", "save"),
    EventKind.DISLIKE: ("disliked", "hide", "downvote", "thumbs_down", "not_interested"),
}
_CODES = {word: code for code, kind in enumerate(KINDS) for word in (kind.value, *SYNONYMS[kind])}


def parse_interactions(
    check: RowCheck, settings: EventSettings, known_items: pd.Series, left_out: frozenset[str]
) -> pd.DataFrame:
    """All N rows, bad ones flagged in `check`: `INTERACTION_COLUMNS`, and `rating` if the file has it.

    The event is the file's; without an event column, a rating at or above `settings.rating_threshold` is a
    like and one below it a dislike; with neither, every row is a click. The weight is the file's, else the
    event's. Without timestamps all are 0. `left_out`: items whose own rows were bad; the message says so.
    """
    users, items = check.required(USER_ID), check.required(ITEM_ID)
    check.flag(blank(users), USER_ID, lambda _: "empty id; say who did it")
    check.flag(blank(items), ITEM_ID, lambda _: "empty id; say which item")
    known = as_bools(pc.is_in(items, pa.array(known_items, pa.string())))
    check.flag(~known & ~blank(items), ITEM_ID, lambda value: unknown_item(value, left_out))
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

    Of repeats the one with the largest weight (then rating) stays, whatever order they came in; but one that is to be
    learned from before one that is to be asked for, where both parts of a split have it. Rows without a part, beside
    others with one, are to be learned from.
    """
    if PART in frame:
        frame = frame.assign(**{PART: frame[PART].fillna(Part.TRAIN.value)})
    keys = [
        frame[TIMESTAMP].to_numpy(),
        *(pd.factorize(frame[name], sort=True)[0] for name in (USER_ID, ITEM_ID)),
    ]
    keys.append(pd.factorize(frame[EVENT], sort=True)[0])
    amounts = [(frame[PART] == Part.TRAIN).to_numpy()] if PART in frame else []
    amounts += [frame[name].to_numpy() for name in (WEIGHT, RATING) if name in frame]
    order = np.lexsort([*reversed(amounts), *reversed(keys)])
    same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    last = np.append(~same, True)[: len(order)]
    return frame.iloc[order[last]].reset_index(drop=True), int(len(order) - last.sum())


def _event_codes(check: RowCheck, ratings: NDArray[np.float32] | None, settings: EventSettings) -> NDArray[np.int8]:
    column = check.column(EVENT)
    if column is not None:
        encoded = column.dictionary_encode()
        kinds = [_code(word) for word in encoded.dictionary.to_pylist()]
        places: NDArray[np.int32] = encoded.indices.to_numpy()
        codes = np.array(kinds, dtype=np.int8)[places]
        check.flag(codes < 0, EVENT, _unknown_event)
        return codes.clip(min=0)
    if ratings is not None:
        like, dislike = np.int8(KINDS.index(EventKind.LIKE)), np.int8(KINDS.index(EventKind.DISLIKE))
        return np.where(ratings >= settings.rating_threshold, like, dislike).astype(np.int8)
    return np.full(len(check.table), KINDS.index(EventKind.CLICK), dtype=np.int8)


def _code(word: str) -> int:
    return _CODES.get(word.lower().replace(" ", "_").replace("-", "_"), -1)


def _weights(check: RowCheck, codes: NDArray[np.int8], settings: EventSettings) -> NDArray[np.float32]:
    given = _numbers(check, WEIGHT)
    if given is None:
        return np.array([settings.weight(kind) for kind in KINDS], dtype=np.float32)[codes]
    dislikes = codes == KINDS.index(EventKind.DISLIKE)
    check.flag(dislikes & (given > 0), WEIGHT, lambda value: f"{value} for a dislike; it must not be positive")
    check.flag(~dislikes & (given < 0), WEIGHT, lambda value: f"{value} is negative; only a dislike's may be")
    return given


def _timestamps(check: RowCheck) -> IntArray:
    column = check.column(TIMESTAMP)
    if column is None:
        return np.zeros(len(check.table), dtype=np.int64)
    values, bad = timestamps(column)
    check.flag(
        bad,
        TIMESTAMP,
        lambda value: f"{value!r} is no time since 1970; write epoch seconds, milliseconds or 2024-05-31T18:00:00Z",
    )
    return values


def _numbers(check: RowCheck, name: str) -> NDArray[np.float32] | None:
    column = check.column(name)
    if column is None:
        return None
    values, bad = numbers(column)
    if name == RATING and EVENT in check.names:
        # Beside an event column most rows have no rating to give.
        bad &= ~blank(column)
    check.flag(bad, name, lambda value: f"{value!r} is not a usable number; write 3.5")
    return values.astype(np.float32)


def unknown_item(value: str, left_out: frozenset[str]) -> str:
    """What is wrong with a row of an item that the catalog lacks; `left_out` as in `parse_interactions`."""
    if value in left_out:
        return f"item {value!r} was left out of the catalog because its own row is bad; mend that row"
    return f"item {value!r} is not in the catalog; add it to the items or remove this row"


def _unknown_event(value: str) -> str:
    return f"{value!r} is no event; use one of {', '.join(KINDS)}"

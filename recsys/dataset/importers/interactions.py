"""Rows of interactions: event, weight and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.config import EventSettings
from recsys.dataset.event_words import find_event
from recsys.dataset.importers.columns import ORDER_NAMES, plain_name, squeeze
from recsys.dataset.importers.ratings import RATING_CURE, RatingScale, parse_words
from recsys.dataset.importers.table import RowCheck
from recsys.dataset.importers.values import as_bools, as_series, describe_number, describe_time, is_blank
from recsys.dataset.splits import SPLIT_PART, SplitPart
from recsys.dataset.undo import Standing, standing_events
from recsys.schema import (
    EVENT,
    EVENT_ID,
    ITEM_ID,
    QUANTITY,
    RATING,
    TAKES_BACK,
    TIMESTAMP,
    USER_ID,
    WEIGHT,
    EventKind,
    IntArray,
    Undo,
)

_OPINIONS = (EventKind.LIKE, EventKind.DISLIKE, Undo.UNLIKE, Undo.UNDISLIKE)

KINDS = tuple(EventKind)
EVENTS = (*KINDS, *Undo)
"""Events of a file; the codes of kinds come first."""
MAX_QUANTITY = 10.0
"""Largest quantity that counts: a pallet is not a thousand times the interest of one piece."""
COARSE_S = 900
"""Times that are all whole quarters of an hour are dates or hours in some zone, not moments."""


def parse_interactions(
    check: RowCheck,
    settings: EventSettings,
    known_items: pd.Series,
    rejected_items: frozenset[str],
    ratings: NDArray[np.float32] | None = None,
    scale: RatingScale | None = None,
) -> pd.DataFrame:
    """Parse all N rows into `INTERACTION_COLUMNS`, and `rating` and `event_id` if the file has them.

    Bad rows are flagged in `check`. The event is the file's. Without an event column, `scale` makes ratings likes and
    dislikes; without ratings, each row is a purchase if it names an order, else a click. The weight is the file's, else
    the event's, times the quantity within 1 .. MAX_QUANTITY; of opinions, the quantity does not count. A negative
    quantity takes back. The weight of an undo is what it takes back, NaN without a quantity. Without timestamps all
    are 0.

    Args:
        check: table of the file.
        settings: weights of events.
        known_items: ids that rows may name.
        rejected_items: ids of items whose own rows were bad; the message about them says so.
        ratings: ratings `(N,)` from `read_ratings`.
        scale: scale of the ratings; None if the file has an event column, or no ratings.
    """
    users, items = check.require(USER_ID), check.require(ITEM_ID)
    check.flag(is_blank(users), USER_ID, lambda _: "empty id; name the user")
    check.flag(is_blank(items), ITEM_ID, lambda _: "empty id; name the item")
    known = as_bools(pc.is_in(items, pa.array(known_items, pa.string())))
    check.flag(~known & ~is_blank(items), ITEM_ID, lambda value: describe_unknown_item(value, rejected_items))
    codes = _event_codes(check, ratings, scale)
    quantities = _quantities(check)
    codes = _returns(codes, quantities)
    columns = {
        USER_ID: as_series(users),
        ITEM_ID: as_series(items),
        EVENT: pa.DictionaryArray.from_arrays(codes, [event.value for event in EVENTS]).cast(pa.string()).to_pandas(),
        WEIGHT: _weights(check, codes, quantities, settings),
        TIMESTAMP: _timestamps(check),
    }
    if ratings is not None:
        columns[RATING] = ratings
    event_ids = check.column(EVENT_ID)
    if event_ids is not None:
        columns[EVENT_ID] = as_series(event_ids)
    return pd.DataFrame(columns)


def read_ratings(check: RowCheck) -> NDArray[np.float32] | None:
    """Return ratings `(N,)`, NaN if unreadable; None if the file has none. Unreadable ones are flagged."""
    column = check.column(RATING)
    if column is None:
        return None
    words = parse_words(column)
    values, bad = (words, np.isnan(words)) if words is not None else check.numbers(RATING)
    if EVENT in check.names:
        # If there is an event column, most rows have no rating.
        bad &= ~is_blank(column)
    check.flag(bad, RATING, lambda value: describe_number(value, RATING_CURE))
    return values.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Finished:
    """Interactions that stand, and counts for the report.

    Attributes:
        frame: rows sorted by (timestamp, user_id, item_id, event).
        duplicates: rows that were dropped because they say the same as others.
        repeats: rows that stand beside an equal one, without times that tell them apart.
        standing: events that were taken back.
    """

    frame: pd.DataFrame
    duplicates: int
    repeats: int
    standing: Standing

    def notes(self) -> list[str]:
        """Return sentences for the report."""
        sentences = []
        if self.repeats:
            sentences.append(f"{self.repeats:,} rows repeat others without a time of day; each counts")
        if self.standing.taken_back:
            sentences.append(f"{self.standing.taken_back:,} events were taken back by later ones")
        if self.standing.without_event:
            sentences.append(
                f"{self.standing.without_event:,} undo events had nothing to take back and were left out, e.g. "
                f"{self.standing.example}"
            )
        return sentences


def finish_interactions(parts: Sequence[pd.DataFrame], old: pd.DataFrame | None = None) -> Finished:
    """Join parts of a log in the order in which they came, drop duplicates, take back what was undone, and sort.

    Rows with the same `event_id` (and user, item and event) are one event. Without ids, rows with the same user, item,
    event and time are one event if the time is a moment. If the times of a part are missing or are dates, such rows of
    one part are repeats: each counts. So the same part twice adds nothing.

    Of duplicates, the one with the largest weight (then rating) stays, whatever their order. If both parts of a split
    have a row, the train part's stays. Rows without a part, beside others with one, belong to the train part.

    Args:
        parts: at least one.
        old: rows that were finished before; they came first.
    """
    # Rows that were finished before are different events, whatever their times.
    moments = [not _is_coarse(part[TIMESTAMP].to_numpy()) for part in parts]
    if old is not None:
        parts, moments = [old, *parts], [False, *moments]
    frame = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0].reset_index(drop=True)
    if SPLIT_PART in frame:
        frame = frame.assign(**{SPLIT_PART: frame[SPLIT_PART].fillna(SplitPart.TRAIN.value)})
    keys = [pd.factorize(frame[name], sort=True)[0] for name in (EVENT, ITEM_ID, USER_ID)]
    keys.append(frame[TIMESTAMP].to_numpy())
    same = _identity(frame, keys)
    occurrence = np.zeros(len(frame), dtype=np.int64)
    if not all(moments):
        part = np.repeat(np.arange(len(parts)), [len(one) for one in parts])
        repeatable = ~np.array(moments)[part] & (same[-1] == 0)
        occurrence[repeatable] = _occurrences(frame, (*same, part))[repeatable]
    rows, arrival = _different_rows(frame, same, occurrence)
    standing = standing_events(frame.iloc[rows], arrival)
    settled = standing.frame
    # The index still has the positions in the joined frame.
    order = np.lexsort((*_amounts(settled), *(key[settled.index] for key in keys)))
    return Finished(
        frame=settled.iloc[order].reset_index(drop=True),
        duplicates=len(frame) - len(rows),
        repeats=int((occurrence[rows] > 0).sum()),
        standing=standing,
    )


def _identity(frame: pd.DataFrame, keys: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], ...]:
    """Return keys `(N,)` of which equal rows say the same, the last of them the code of the event's id (0: none)."""
    *others, times = keys
    if EVENT_ID not in frame:
        return (*others, times, np.zeros(len(frame), dtype=np.int64))
    ids = frame[EVENT_ID].fillna("")
    names = np.where(ids != "", pd.factorize(ids)[0] + 1, 0)
    # An id tells more than a time, which may be that of a second delivery.
    return (*others, np.where(names > 0, 0, times), names)


def _occurrences(frame: pd.DataFrame, keys: Sequence[NDArray[Any]]) -> IntArray:
    """Return the number of each row among the rows with the same keys, `(N,)`, from 0, the smallest amounts first."""
    order = np.lexsort((*_amounts(frame), *keys))
    starts = _starts(order, keys)
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return numbers


def _different_rows(
    frame: pd.DataFrame, same: Sequence[NDArray[Any]], occurrence: IntArray
) -> tuple[IntArray, IntArray]:
    """Return the rows that stay (n,), ascending, and for each the last row that says the same (n,)."""
    if frame.empty:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    order = np.lexsort((*_amounts(frame), occurrence, *same))
    starts = _starts(order, (*same, occurrence))
    # The last row of each run has the largest amounts, in the train part if any row is.
    rows, latest = order[np.append(starts[1:], len(order)) - 1], np.maximum.reduceat(order, starts)
    if SPLIT_PART in frame:
        # A test row that the train part has, however often, is no test.
        is_train = frame[SPLIT_PART].eq(SplitPart.TRAIN.value).to_numpy()
        runs = _starts(order, same)
        trained = np.repeat(np.logical_or.reduceat(is_train[order], runs), np.diff(np.append(runs, len(order))))
        in_train = np.empty(len(frame), dtype=np.bool_)
        in_train[order] = trained
        keep = is_train[rows] | ~in_train[rows]
        rows, latest = rows[keep], latest[keep]
    by_row = np.argsort(rows)
    return rows[by_row], latest[by_row]


def _amounts(frame: pd.DataFrame) -> list[NDArray[Any]]:
    """Return keys for `np.lexsort`, the last one first: train before test, then weight, then rating, ascending."""
    amounts = [frame[name].to_numpy() for name in (RATING, WEIGHT) if name in frame]
    if SPLIT_PART in frame:
        amounts.append((frame[SPLIT_PART] == SplitPart.TRAIN).to_numpy())
    return amounts


def _starts(order: IntArray, keys: Sequence[NDArray[Any]]) -> IntArray:
    """Return the positions in `order` at which a new combination of the keys begins."""
    if not len(order):
        return order
    changed = np.logical_or.reduce([key[order][1:] != key[order][:-1] for key in keys])
    return np.flatnonzero(np.append(True, changed))


def _is_coarse(times: IntArray) -> bool:
    return bool((times % COARSE_S == 0).all())


def _event_codes(check: RowCheck, ratings: NDArray[np.float32] | None, scale: RatingScale | None) -> NDArray[np.int8]:
    column = check.column(EVENT)
    if column is not None:
        encoded = column.dictionary_encode()
        events = map(find_event, encoded.dictionary.to_pylist())
        kinds = np.array([-1 if event is None else EVENTS.index(event) for event in events], dtype=np.int8)
        indices: NDArray[np.int32] = encoded.indices.to_numpy()
        codes = kinds[indices]
        check.flag(codes < 0, EVENT, lambda value: f"{value!r} is not an event; use one of {', '.join(EVENTS)}")
        return codes.clip(min=0)
    if ratings is not None and scale is not None:
        return scale.kinds(ratings)
    return np.full(len(check.table), KINDS.index(kind_without_events(check)), dtype=np.int8)


def kind_without_events(check: RowCheck) -> EventKind:
    """Return the kind of all rows of a file without events and ratings: a purchase if each names an order."""
    order = order_column(check)
    return EventKind.CLICK if order is None else EventKind.PURCHASE


def order_column(check: RowCheck) -> str | None:
    """Return the name of the column in which each row names its order, or None."""
    columns = check.table.columns
    named = (name for name in columns if squeeze(plain_name(name)) in ORDER_NAMES)
    return next((name for name in named if not is_blank(columns[name]).any()), None)


def check_statuses(check: RowCheck) -> list[str]:
    """Return notes about columns of an order's status that name cancelled or refunded orders."""
    notes = []
    for name, column in check.table.columns.items():
        undone = pc.match_substring_regex(column, r"(?i)\b(cancel|refund|return|void|storn|fail|declin)")
        if "status" in plain_name(name) and pc.any(undone).as_py():
            word = pc.filter(column, undone)[0].as_py()
            notes.append(
                f"warning: {pc.sum(undone).as_py():,} rows count as purchases though {name!r} says {word!r}; remove "
                "them, and import again"
            )
    return notes


def _returns(codes: NDArray[np.int8], quantities: NDArray[np.float64] | None) -> NDArray[np.int8]:
    """Return the codes, with a negative quantity in the cart or in an order as its undo."""
    if quantities is None or not (quantities < 0).any():
        return codes
    codes = codes.copy()
    for undo, kind in TAKES_BACK.items():
        codes[(quantities < 0) & (codes == EVENTS.index(kind))] = EVENTS.index(undo)
    return codes


def _weights(
    check: RowCheck, codes: NDArray[np.int8], quantities: NDArray[np.float64] | None, settings: EventSettings
) -> NDArray[np.float32]:
    undo = codes >= len(KINDS)
    # An undo is worth as much as the event that it takes back.
    kinds = [*KINDS, *(TAKES_BACK[undo] for undo in Undo)]
    weights = np.array([settings.weight(kind) for kind in kinds], dtype=np.float32)[codes]
    given = _numbers(check, WEIGHT)
    if given is not None:
        dislikes = codes == KINDS.index(EventKind.DISLIKE)
        check.flag(dislikes & (given > 0), WEIGHT, lambda value: f"{value} for a dislike; it must not be positive")
        check.flag(~dislikes & (given < 0), WEIGHT, lambda value: f"{value} is negative; only a dislike may have that")
        weights = np.where(undo, weights, given)
    if quantities is None:
        return np.where(undo, np.float32(np.nan), weights)
    opinions = np.isin(codes, [EVENTS.index(event) for event in _OPINIONS])
    factors = np.where(opinions, 1.0, np.clip(np.abs(quantities), 1.0, MAX_QUANTITY))
    return np.where(undo & np.isnan(quantities), np.nan, weights * np.nan_to_num(factors, nan=1.0)).astype(np.float32)


def _quantities(check: RowCheck) -> NDArray[np.float64] | None:
    """Return quantities `(N,)`, NaN if empty; None if the file has none. 0 and unreadable ones are flagged."""
    column = check.column(QUANTITY)
    if column is None:
        return None
    values, bad = check.numbers(QUANTITY)
    check.flag(
        (bad & ~is_blank(column)) | (values == 0),
        QUANTITY,
        lambda value: f"{value!r} is no quantity; write a number such as 2, or -1 for one that was returned",
    )
    return values


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
    check.flag(bad, name, lambda value: describe_number(value, "write 3.5"))
    return values.astype(np.float32)


def describe_unknown_item(value: str, rejected_items: frozenset[str]) -> str:
    """Return the message about a row of an item that the catalog does not have; see `parse_interactions`."""
    if value in rejected_items:
        return f"item {value!r} was left out of the catalog because its own row is bad; correct that row"
    return f"item {value!r} is not in the catalog; add it to the items or remove this row"

"""Events that take back earlier ones, and opinions of one second: what stands of a log of events.

A like and a dislike of the same second contradict each other: the later one in the log stands. An undo
(`recsys.schema.Undo`) takes back earlier events of its kind of the same user and item: all likes or dislikes, but of
carts and purchases the latest one, or as many units as its weight is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys.schema import EVENT, ITEM_ID, TAKES_BACK, TIMESTAMP, USER_ID, WEIGHT, BoolArray, EventKind, IntArray, Undo

_LEFT = 1e-4
"""Share of a weight below which nothing of an event is left."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Rows that stand, and counts for reports.

    Attributes:
        frame: rows in the given order, without those that were taken back and without undo events.
        taken_back: number of events that were taken back, in whole or in part.
        without_event: number of undo events without an earlier event.
        example: user, item and undo of one of these; "" without any.
    """

    frame: pd.DataFrame
    taken_back: int = 0
    without_event: int = 0
    example: str = ""


def standing_events(frame: pd.DataFrame, arrival: IntArray | None = None) -> Standing:
    """Return the events that stand.

    Args:
        frame: events with `recsys.schema.INTERACTION_COLUMNS`, `event` one of `EventKind` or `Undo`. The weight of an
            undo is what it takes back; NaN: the latest event as a whole.
        arrival: `(N,)` position of each row in the log; default: the order of the rows.
    """
    arrival = np.arange(len(frame)) if arrival is None else arrival
    events = frame[EVENT]
    stands = _latest_opinions(frame, arrival)
    undo = events.isin([event.value for event in Undo]).to_numpy()
    if not undo.any():
        return Standing(frame if stands.all() else frame[stands])
    pairs = _pairs(frame)
    involved = np.flatnonzero(np.isin(pairs, pairs[undo]) & stands)
    order = involved[np.lexsort((arrival[involved], frame[TIMESTAMP].to_numpy()[involved], pairs[involved]))]
    weights = frame[WEIGHT].to_numpy(dtype=np.float64, copy=True)
    stands &= ~undo
    words = dict(zip(order.tolist(), events.iloc[order], strict=True))
    touched: set[int] = set()
    unmatched: list[int] = []
    earlier: dict[str, list[int]] = {}
    pair = -1
    for row in order.tolist():
        if pairs[row] != pair:
            pair, earlier = pairs[row], {}
        event = words[row]
        if not undo[row]:
            earlier.setdefault(event, []).append(row)
            continue
        kind = TAKES_BACK[Undo(event)]
        taken = _take_back(earlier.get(kind.value, []), weights, weights[row], kind)
        touched.update(taken)
        if not taken:
            unmatched.append(row)
    stands[[row for row in touched if weights[row] == 0]] = False
    settled = frame.assign(**{WEIGHT: weights.astype(np.float32)})[stands]
    example = ""
    if unmatched:
        first = frame.iloc[min(unmatched)]
        example = f"{first[EVENT]} of user {first[USER_ID]!r}, item {first[ITEM_ID]!r}"
    return Standing(settled, len(touched), len(unmatched), example)


def with_remaining_ids(frame: pd.DataFrame, user_of: Mapping[str, str]) -> pd.DataFrame:
    """Return events with the user that remains for each old id of `user_of`."""
    if not user_of:
        return frame
    ids = frame[USER_ID]
    return frame.assign(**{USER_ID: ids.map(user_of).fillna(ids).astype(ids.dtype)})


def _take_back(earlier: list[int], weights: NDArray[np.float64], amount: float, kind: EventKind) -> list[int]:
    """Lower weights of `earlier` rows by `amount`, the latest first; drop used-up rows, return the changed ones."""
    if kind in (EventKind.LIKE, EventKind.DISLIKE):
        taken = earlier.copy()
        weights[taken] = 0.0
        earlier.clear()
        return taken
    taken = []
    while earlier and (not taken or amount > _LEFT):
        row = earlier[-1]
        taken.append(row)
        if np.isnan(amount):
            amount = weights[row]
        part = min(weights[row], amount)
        left = weights[row] - part
        amount -= part
        # Events of weight 0 and rounding errors leave nothing.
        weights[row] = left if left > _LEFT * part else 0.0
        if weights[row] == 0:
            earlier.pop()
        else:
            break
    return taken


def _latest_opinions(frame: pd.DataFrame, arrival: IntArray) -> BoolArray:
    """Return a mask of the rows without likes and dislikes that a later row of the same second contradicts."""
    stands = np.ones(len(frame), dtype=np.bool_)
    likes, dislikes = (frame[EVENT].eq(kind.value).to_numpy() for kind in (EventKind.LIKE, EventKind.DISLIKE))
    if not (likes.any() and dislikes.any()):
        return stands
    rows = np.flatnonzero(likes | dislikes)
    pairs, times = _pairs(frame.iloc[rows]), frame[TIMESTAMP].to_numpy()[rows]
    order = np.lexsort((arrival[rows], times, pairs))
    rows, pairs, times = rows[order], pairs[order], times[order]
    starts = np.flatnonzero(np.append(True, (pairs[1:] != pairs[:-1]) | (times[1:] != times[:-1])))
    lengths = np.diff(np.append(starts, len(rows)))
    last = np.repeat(starts + lengths - 1, lengths)
    stands[rows[likes[rows] != likes[rows[last]]]] = False
    return stands


def _pairs(frame: pd.DataFrame) -> IntArray:
    """Return one number per user and item, `(N,)`."""
    users, items = pd.factorize(frame[USER_ID])[0].astype(np.int64), pd.factorize(frame[ITEM_ID])[0]
    return np.asarray(users * (int(items.max(initial=0)) + 1) + items)

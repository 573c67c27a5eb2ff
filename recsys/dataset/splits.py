"""Train and test by time: a model is only ever asked about what came after what it saw."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys.dataset.interactions import Interactions
from recsys.errors import DataError


class Split(NamedTuple):
    """Two disjoint sets of events over the same identifiers."""

    train: Interactions
    test: Interactions


def split_by_time(interactions: Interactions, test_share: float = 0.2, *, known_users_only: bool = True) -> Split:
    """One moment for all users: train is before it, test from it on; it leaves about `test_share` to test.

    Events of one second are never parted. `known_users_only` drops test events of users without any in train.
    Raises DataError where all events have one time, ValueError where `test_share` is not within (0, 1).
    """
    if not 0.0 < test_share < 1.0:
        raise ValueError(f"test_share {test_share}: must lie between 0 and 1")
    times = np.unique(interactions.timestamps)
    if len(times) < 2:
        raise DataError("all interactions have the same time; import timestamps to split by time")
    place = int(len(interactions) * (1.0 - test_share))
    # Train keeps at least the first second, even where that one holds most events.
    moment = max(int(interactions.timestamps[place]), int(times[1]))
    train, test = interactions.before(moment), interactions.after(moment)
    if known_users_only:
        test = test.select(np.isin(test.users, train.users))
    return Split(train, test)


def rolling_splits(interactions: Interactions, share: float, rounds: int) -> list[Split]:
    """Several splits by time, earliest first: each tests on about `share` of the events that follow its train.

    The test of one is in the train of the next; test events of users without any in train are dropped. Rounds that
    the times do not allow (all events at once, nothing left to train on) are left out, so there may be none.
    Raises ValueError where `share` is not positive or `rounds` of it leave nothing to train on.
    """
    if share <= 0 or share * rounds >= 1:
        raise ValueError(f"share {share} in {rounds} rounds: needs to be positive and leave something to train on")
    if not len(interactions):
        return []
    last = len(interactions) - 1
    places = [min(last, round(len(interactions) * (1.0 - share * left))) for left in range(rounds, 0, -1)]
    moments = [int(interactions.timestamps[place]) for place in places] + [int(interactions.timestamps[last]) + 1]
    splits = []
    for start, end in pairwise(moments):
        train, test = interactions.before(start), interactions.after(start).before(end)
        test = test.select(np.isin(test.users, train.users))
        if len(train) and len(test):
            splits.append(Split(train, test))
    return splits


def leave_last(interactions: Interactions, events: int = 1) -> Split:
    """The last `events` events of each user are test, the earlier ones train.

    Users with no more than `events` stay in train whole. Among events of one second the order is by item row.
    Raises ValueError where `events` is not positive.
    """
    if events < 1:
        raise ValueError(f"events {events}: must be at least 1")
    # Events are in time order, so counting from the end gives each user's last ones.
    groups = pd.Series(interactions.users).groupby(interactions.users)
    from_end = groups.cumcount(ascending=False).to_numpy()
    total = groups.transform("size").to_numpy()
    last = (from_end < events) & (total > events)
    return Split(interactions.select(~last), interactions.select(last))

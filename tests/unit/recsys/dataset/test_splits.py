from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recsys.dataset.identifiers import ItemIdentifiers
from recsys.dataset.interactions import Interactions
from recsys.dataset.splits import leave_last, rolling_splits, split_by_time
from recsys.errors import DataError
from recsys.schema import INTERACTION_COLUMNS

ITEMS = ItemIdentifiers("item", list("abcdefgh"))
quick = settings(max_examples=50, deadline=None)
EVENTS = st.lists(
    st.tuples(st.sampled_from("uvwx"), st.sampled_from("abcdefgh"), st.integers(0, 9)),
    unique=True,
    min_size=1,
    max_size=30,
)


def interactions(events: list[tuple[str, str, int]]) -> Interactions:
    rows = [(user, item, "view", 1.0, time) for user, item, time in events]
    return Interactions.from_frame(pd.DataFrame(rows, columns=list(INTERACTION_COLUMNS)), ITEMS)


def keys(part: Interactions) -> list[tuple[int, int, int]]:
    return list(zip(part.users.tolist(), part.items.tolist(), part.timestamps.tolist(), strict=True))


@quick
@given(EVENTS, st.floats(0.01, 0.99), st.booleans())
def test_no_test_event_precedes_a_train_event(events: list[tuple[str, str, int]], share: float, known: bool) -> None:
    assume(len({time for _, _, time in events}) > 1)
    whole = interactions(events)
    train, test = split_by_time(whole, share, known_users_only=known)
    assert len(train) > 0
    assert set(keys(train)) | set(keys(test)) <= set(keys(whole))
    if len(test):
        assert train.timestamps.max() < test.timestamps.min()
    if known:
        assert set(test.users) <= set(train.users)
    else:
        assert len(train) + len(test) == len(whole)
        assert len(test) > 0


def test_the_share_is_met_where_times_allow() -> None:
    whole = interactions([("u", "a", time) for time in range(10)])
    train, test = split_by_time(whole, 0.3)
    assert (len(train), len(test)) == (7, 3)


def test_one_time_cannot_be_split() -> None:
    with pytest.raises(DataError, match="same time"):
        split_by_time(interactions([("u", "a", 5), ("u", "b", 5)]))


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_shares_outside_are_refused(share: float) -> None:
    with pytest.raises(ValueError, match="test_share"):
        split_by_time(interactions([("u", "a", 1), ("u", "b", 2)]), share)


@quick
@given(EVENTS, st.integers(1, 3))
def test_the_last_events_of_each_user_are_held_out(events: list[tuple[str, str, int]], count: int) -> None:
    whole = interactions(events)
    train, test = leave_last(whole, count)
    assert sorted(keys(train) + keys(test)) == sorted(keys(whole))
    for user in range(whole.shape[0]):
        own, held = train.users == user, test.users == user
        total = int((whole.users == user).sum())
        assert held.sum() == (count if total > count else 0)
        if held.any():
            assert train.timestamps[own].max() <= test.timestamps[held].min()


def test_splits_are_over_the_same_identifiers() -> None:
    whole = interactions([("u", "a", 1), ("v", "b", 2), ("u", "c", 3)])
    for split in (split_by_time(whole), leave_last(whole)):
        for part in split:
            assert part.shape == whole.shape
            assert part.user_ids is whole.user_ids
            assert np.all(np.diff(part.timestamps) >= 0)


def test_leaving_none_out_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        leave_last(interactions([("u", "a", 1)]), 0)


def make(users: Sequence[int], times: Sequence[int]) -> Interactions:
    """One view for each user and time, of items in turn."""
    pairs = enumerate(zip(users, times, strict=True))
    return interactions([(f"u{user}", "abcdefgh"[index % 8], int(time)) for index, (user, time) in pairs])


def test_rolling_rounds_follow_each_other() -> None:
    events = make([index % 7 for index in range(100)], range(100))
    rounds = rolling_splits(events, 0.2, 3)
    assert [len(train) for train, _ in rounds] == [40, 60, 80]
    for train, test in rounds:
        assert len(test) == 20
        assert train.timestamps.max() < test.timestamps.min()
    for (_, test), (train, _) in pairwise(rounds):
        assert test.timestamps.max() == train.timestamps.max()


def test_rolling_rounds_drop_strangers() -> None:
    events = make([0] * 80 + [1] * 20, range(100))
    for train, test in rolling_splits(events, 0.2, 2):
        assert set(test.users) <= set(train.users)


def test_rolling_rounds_without_times_are_none() -> None:
    assert rolling_splits(make([index % 3 for index in range(10)], [0] * 10), 0.2, 3) == []


@pytest.mark.parametrize(("share", "rounds"), [(0.0, 3), (0.4, 3)])
def test_rolling_rounds_need_something_to_train_on(share: float, rounds: int) -> None:
    with pytest.raises(ValueError, match="leave something to train on"):
        rolling_splits(make([index % 3 for index in range(10)], range(10)), share, rounds)

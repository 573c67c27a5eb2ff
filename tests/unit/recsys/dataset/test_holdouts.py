"""Every split method: nothing of the test is in the train, and only ids and the seed decide."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recsys.dataset.identifiers import ItemIdentifiers
from recsys.dataset.interactions import Interactions
from recsys.dataset.splits import (
    SPLIT_PART,
    Holdout,
    SplitMethod,
    cold_items,
    default_split_method,
    hold_out,
    random_per_user,
    strong_generalization,
)
from recsys.errors import DataError
from recsys.schema import INTERACTION_COLUMNS, ITEM_ID, TIMESTAMP, USER_ID

ITEMS = ItemIdentifiers("item", list("abcdefgh"))
DRAWN = (SplitMethod.RANDOM, SplitMethod.STRONG, SplitMethod.COLD_ITEMS)
quick = settings(max_examples=20, deadline=None)
EVENTS = st.lists(
    st.tuples(st.sampled_from("stuvwxyz"), st.sampled_from("abcdefgh"), st.integers(0, 9)),
    unique=True,
    min_size=4,
    max_size=40,
)
Events = list[tuple[str, str, int]]


def frame(events: Events) -> pd.DataFrame:
    rows = [(user, item, "view", 1.0, time) for user, item, time in events]
    return pd.DataFrame(rows, columns=list(INTERACTION_COLUMNS))


def split(rows: Events, method: SplitMethod, **options: float) -> Holdout:
    """By any method, or the example is passed over where the events do not allow it."""
    table = frame(rows)
    if method is SplitMethod.PREDEFINED:
        table[SPLIT_PART] = np.where(table[ITEM_ID] < "d", "train", "test")
    try:
        return hold_out(table, ITEMS, method, **options)  # type: ignore[arg-type]
    except DataError:
        assume(False)
        raise


def external(part: Interactions) -> Events:
    users, items = part.user_ids.ids(part.users), part.item_ids.ids(part.items)
    return list(zip(users, items, part.timestamps.tolist(), strict=True))


def everything(holdout: Holdout) -> tuple[Events, Events, Events, list[int], list[bool]]:
    parts = (external(part) for part in (holdout.train, holdout.history, holdout.test))
    return *parts, holdout.users.tolist(), holdout.items.tolist()  # type: ignore[return-value]


@pytest.mark.parametrize("method", SplitMethod)
@quick
@given(events=EVENTS)
def test_no_test_event_is_learned_from_or_known(method: SplitMethod, events: Events) -> None:
    holdout = split(events, method)
    asked = set(external(holdout.test))
    assert asked
    assert not asked & set(external(holdout.train))
    assert not asked & set(external(holdout.history))
    assert asked | set(external(holdout.train)) | set(external(holdout.history)) <= set(events)


@pytest.mark.parametrize("method", SplitMethod)
@quick
@given(events=EVENTS)
def test_those_asked_are_those_with_test_events_and_all_items_asked_for_may_be_recommended(
    method: SplitMethod, events: Events
) -> None:
    holdout = split(events, method)
    assert holdout.users.tolist() == sorted(set(holdout.test.users.tolist()))
    assert holdout.items[holdout.test.items].all()
    assert holdout.train.user_ids == holdout.test.user_ids == holdout.history.user_ids


@pytest.mark.parametrize("method", SplitMethod)
@quick
@given(events=EVENTS, random=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(method: SplitMethod, events: Events, random: np.random.Generator) -> None:
    whole = everything(split(events, method, seed=3))
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[arg-type]
    assert everything(split(shuffled, method, seed=3)) == whole


@quick
@given(events=EVENTS)
def test_by_time_nothing_later_is_learned_from(events: Events) -> None:
    holdout = split(events, SplitMethod.TIME)
    assert holdout.train.timestamps.max() < holdout.test.timestamps.min()


@quick
@given(rows=EVENTS, count=st.integers(1, 2))
def test_leave_last_asks_each_user_for_what_came_last(rows: Events, count: int) -> None:
    holdout = split(rows, SplitMethod.LEAVE_LAST, events=count)
    for user in holdout.users:
        own = holdout.train.timestamps[holdout.train.users == user]
        asked = holdout.test.timestamps[holdout.test.users == user]
        assert len(asked) == count
        assert own.max() <= asked.min()


@quick
@given(events=EVENTS, share=st.floats(0.05, 0.95))
def test_random_keeps_a_pair_together_and_takes_each_user_s_share(events: Events, share: float) -> None:
    holdout = split(events, SplitMethod.RANDOM, share=share)
    test = {(user, item) for user, item, _ in external(holdout.test)}
    train = {(user, item) for user, item, _ in external(holdout.train)}
    assert not test & train
    for user in {user for user, _, _ in events}:
        total = len({item for name, item, _ in events if name == user})
        asked = sum(name == user for name, _ in test)
        assert asked == min(int(np.floor(share * total + 0.5)), total - 1)


@quick
@given(events=EVENTS)
def test_held_out_users_are_strangers_to_the_train(events: Events) -> None:
    holdout = split(events, SplitMethod.STRONG, share=0.4)
    assert holdout.folds_in
    assert not set(holdout.users) & set(holdout.train.users)
    assert set(holdout.users) == set(holdout.history.users)
    known = {(user, item) for user, item, _ in external(holdout.history)}
    assert not known & {(user, item) for user, item, _ in external(holdout.test)}
    assert len(holdout.train)


@quick
@given(events=EVENTS)
def test_cold_items_are_absent_from_the_train_and_all_that_may_be_recommended(events: Events) -> None:
    holdout = split(events, SplitMethod.COLD_ITEMS, share=0.3)
    cold = np.flatnonzero(holdout.items)
    assert set(holdout.test.items) <= set(cold)
    assert not np.isin(holdout.train.items, cold).any()
    assert set(holdout.users) <= set(holdout.train.users)


def many(people: int = 40, seed: int = 0) -> Events:
    random = np.random.default_rng(seed)
    return [
        (f"u{user:03}", item, time)
        for user in range(people)
        for time, item in enumerate(random.permutation(list("abcdefgh"))[: random.integers(2, 9)].tolist())
    ]


def interactions(events: Events) -> Interactions:
    return Interactions.from_frame(frame(events), ITEMS)


def test_shares_of_people_and_items_are_met() -> None:
    whole = interactions(many(40))
    assert len(strong_generalization(whole, 0.25, seed=1).users) == 10
    assert cold_items(whole, 0.25, seed=1).items.sum() == 2
    assert cold_items(whole, 0.25, seed=1, among_all=True).items.all()


@pytest.mark.parametrize("method", DRAWN)
def test_another_seed_draws_another_split(method: SplitMethod) -> None:
    one, same, other = (everything(split(many(), method, seed=seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_who_else_is_in_the_data_changes_no_one_s_random_split() -> None:
    events = many(30)
    few = [event for event in events if event[0] < "u010"]
    whole, part = (external(random_per_user(interactions(data), seed=5).test) for data in (events, few))
    assert sorted(event for event in whole if event[0] < "u010") == sorted(part)


def test_random_draws_favor_no_item_and_no_place_in_time() -> None:
    # 2,000 users touch all 8 items in one order; a quarter of each one's is held out
    events = [(f"u{user:04}", item, time) for user in range(2_000) for time, item in enumerate("abcdefgh")]
    test = random_per_user(interactions(events), 0.25, seed=0).test
    counts = np.bincount(test.items, minlength=8)
    assert counts.sum() == 4_000
    # each is binomial with mean 500 and standard deviation 19
    assert np.abs(counts - 500).max() < 5 * 19


def test_a_split_that_came_with_the_data_is_kept() -> None:
    table = frame([("u", "a", 1), ("u", "b", 2), ("v", "c", 3), ("v", "d", 1)])
    table[SPLIT_PART] = ["train", "test", "train", "test"]
    assert default_split_method(table) is SplitMethod.PREDEFINED
    assert default_split_method(table.drop(columns=SPLIT_PART)) is SplitMethod.TIME
    holdout = hold_out(table, ITEMS, SplitMethod.PREDEFINED)
    assert external(holdout.train) == [("u", "a", 1), ("v", "c", 3)]
    assert external(holdout.test) == [("v", "d", 1), ("u", "b", 2)]
    assert not holdout.folds_in


@pytest.mark.parametrize(
    ("method", "events", "message"),
    [
        (SplitMethod.PREDEFINED, [("u", "a", 1)], "--test-interactions"),
        (SplitMethod.TIME, [("u", "a", 1), ("v", "b", 1)], "same time"),
        (SplitMethod.LEAVE_LAST, [("u", "a", 1), ("v", "b", 1)], "holds out nothing"),
        (SplitMethod.RANDOM, [("u", "a", 1), ("u", "a", 2)], "holds out nothing"),
        (SplitMethod.STRONG, [("u", "a", 1), ("u", "b", 1), ("v", "a", 1)], "two users with two items"),
        (SplitMethod.COLD_ITEMS, [("u", "a", 1), ("v", "a", 1)], "at least two items"),
    ],
)
def test_data_that_do_not_allow_a_split_say_why(method: SplitMethod, events: Events, message: str) -> None:
    with pytest.raises(DataError, match=message):
        hold_out(frame(events), ITEMS, method)


@pytest.mark.parametrize("method", [*DRAWN, SplitMethod.TIME])
@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_shares_outside_are_refused(method: SplitMethod, share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        hold_out(frame(many()), ITEMS, method, share=share)


def test_the_frame_is_left_as_it_was() -> None:
    table = frame(many())
    before = table.copy()
    hold_out(table, ITEMS, SplitMethod.RANDOM)
    pd.testing.assert_frame_equal(table, before)
    assert {USER_ID, ITEM_ID, TIMESTAMP} <= set(table)

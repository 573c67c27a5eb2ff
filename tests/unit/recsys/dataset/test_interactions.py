from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.clock import SECONDS_PER_DAY
from recsys.config import EventSettings
from recsys.dataset.identifiers import ItemIdentifiers, UserIdentifiers
from recsys.dataset.interactions import Interactions
from recsys.errors import UnknownIdError
from recsys.schema import INTERACTION_COLUMNS, EventKind, Kinds

ITEMS = ItemIdentifiers("item", ["x", "y", "z"])
SETTINGS = EventSettings()

Event = tuple[str, str, str, int]
quick = settings(max_examples=50, deadline=None)
EVENTS = st.lists(
    st.tuples(st.sampled_from("uvw"), st.sampled_from("xyz"), st.sampled_from(list(EventKind)), st.integers(0, 5)),
    unique=True,
    max_size=20,
)


def interactions(events: list[Event]) -> Interactions:
    rows = [(user, item, str(kind), SETTINGS.weight(EventKind(kind)), t) for user, item, kind, t in events]
    frame = pd.DataFrame(rows, columns=list(INTERACTION_COLUMNS))
    return Interactions.from_frame(frame, ITEMS, UserIdentifiers("user", ["u", "v", "w"]))


def opinion(events: list[Event], user: str, item: str) -> float:
    """The documented rule, event by event."""
    own = [(t, EventKind(kind)) for who, what, kind, t in events if (who, what) == (user, item)]
    explicit = sorted((t, kind is EventKind.DISLIKE) for t, kind in own if kind in ("like", "dislike"))
    if explicit and explicit[-1][1]:
        return SETTINGS.dislike
    return sum(SETTINGS.weight(kind) for _, kind in own if kind is not EventKind.DISLIKE)


@quick
@given(EVENTS)
def test_the_matrix_is_the_rule_for_every_pair(events: list[Event]) -> None:
    dense = interactions(events).matrix().toarray()
    expected = [[opinion(events, user, item) for item in "xyz"] for user in "uvw"]
    np.testing.assert_array_equal(dense, np.array(expected, dtype=np.float32))
    assert dense.dtype == np.float32


@quick
@given(EVENTS)
def test_seen_is_every_touched_pair_however_disliked(events: list[Event]) -> None:
    touched = {(user, item) for user, item, _, _ in events}
    expected = [[(user, item) in touched for item in "xyz"] for user in "uvw"]
    np.testing.assert_array_equal(interactions(events).interaction_mask().toarray(), np.array(expected))


@quick
@given(EVENTS)
def test_kinds_are_those_of_the_events_and_of_opinions_the_latest(events: list[Event]) -> None:
    expected = np.zeros((3, 3), dtype=np.uint8)
    for row, user in enumerate("uvw"):
        for column, item in enumerate("xyz"):
            own = {EventKind(kind) for who, what, kind, _ in events if (who, what) == (user, item)}
            if {EventKind.LIKE, EventKind.DISLIKE} <= own:
                disliked = opinion(events, user, item) == SETTINGS.dislike
                own.discard(EventKind.LIKE if disliked else EventKind.DISLIKE)
            expected[row, column] = Kinds.from_kinds(own)
    np.testing.assert_array_equal(interactions(events).kinds_matrix().toarray(), expected)


@quick
@given(EVENTS, st.integers(0, 6))
def test_before_and_after_part_all_events(events: list[Event], time: int) -> None:
    whole = interactions(events)
    before, after = whole.before(time), whole.after(time)
    assert len(before) + len(after) == len(whole)
    assert (before.timestamps < time).all()
    assert (after.timestamps >= time).all()
    assert before.shape == after.shape == (3, 3)


@quick
@given(EVENTS, st.randoms())
def test_arrival_order_does_not_matter(events: list[Event], random: np.random.Generator) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[arg-type]
    one, other = interactions(events), interactions(shuffled)
    for name in ("users", "items", "kinds", "weights", "timestamps"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_change_of_mind_counts() -> None:
    for last, expected in (("like", 15.0), ("dislike", -5.0)):
        first = "dislike" if last == "like" else "like"
        events = [("u", "x", "purchase", 0), ("u", "x", first, 1), ("u", "x", last, 2)]
        assert interactions(events).matrix()[0, 0] == expected


def test_weights_halve_with_each_half_life() -> None:
    day = SECONDS_PER_DAY
    whole = interactions([("u", "x", "cart", 0), ("u", "y", "cart", 10 * day), ("u", "z", "dislike", 0)])
    decayed = whole.matrix(half_life_days=10).toarray()[0]
    np.testing.assert_allclose(decayed, [2.5, 5.0, -2.5])
    later = whole.matrix(half_life_days=10, now=20 * day).toarray()[0]
    np.testing.assert_allclose(later, [1.25, 2.5, -1.25])
    # An event after `now` is not worth more than a fresh one.
    np.testing.assert_allclose(whole.matrix(half_life_days=10, now=0).toarray()[0], [5.0, 5.0, -5.0])


def test_users_default_to_those_of_the_frame_and_unknown_ids_are_named() -> None:
    frame = pd.DataFrame([("v", "x", "view", 1.0, 1), ("a", "y", "view", 1.0, 2)], columns=list(INTERACTION_COLUMNS))
    made = Interactions.from_frame(frame, ITEMS)
    assert made.user_ids.values.tolist() == ["a", "v"]
    with pytest.raises(UnknownIdError, match="item 'y'"):
        Interactions.from_frame(frame, ItemIdentifiers("item", ["x"]))
    with pytest.raises(UnknownIdError, match="user 'a'"):
        Interactions.from_frame(frame, ITEMS, UserIdentifiers("user", ["v"]))


def test_rows_do_not_overflow_when_pairs_are_numbered() -> None:
    """70,000 users by 70,000 items pass 2**32 pairs; 32-bit keys would fold pairs together."""
    size = 70_000
    users, items = (
        UserIdentifiers("user", list(map(str, range(size)))),
        ItemIdentifiers("item", list(map(str, range(size)))),
    )
    corners = [str(size - 1), "0"]
    rows = [(user, item, "view", 1.0, 0) for user, item in product(corners, corners)]
    made = Interactions.from_frame(pd.DataFrame(rows, columns=list(INTERACTION_COLUMNS)), items, users)
    matrix = made.matrix()
    assert matrix.nnz == 4
    assert matrix[size - 1, size - 1] == 1.0

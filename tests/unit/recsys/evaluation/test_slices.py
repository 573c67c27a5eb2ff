"""Slices count whom and what they say, on rankings of the whole catalog."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.identifiers import ItemIdentifiers
from recsys.dataset.splits import Holdout, SplitMethod, hold_out
from recsys.evaluation.protocol import evaluate_holdout, scorer
from recsys.evaluation.slices import Slice, slice_result, standard_slices
from recsys.models.popularity import PopularityModel
from recsys.schema import INTERACTION_COLUMNS, FloatArray, IntArray

ITEMS = ItemIdentifiers("item", [f"i{number}" for number in range(10)])
# Train: item 0 has four events, 1 has three, 2 to 4 have one; 5 to 9 none. User u3 has seven events, the others less.
TRAIN = {"u0": [0, 1], "u1": [0, 1, 2], "u2": [0], "u3": [0, 1, 3, 4, 3, 4, 3]}
TEST = {"u0": [2, 5], "u1": [3], "u2": [1, 6], "u3": [2]}


def holdout() -> Holdout:
    rows = [
        (user, f"i{item}", "view", 1.0, time + later)
        for later, part in ((0, TRAIN), (1_000, TEST))
        for user, items in part.items()
        for time, item in enumerate(items)
    ]
    frame = pd.DataFrame(rows, columns=list(INTERACTION_COLUMNS))
    return hold_out(frame, ITEMS, SplitMethod.TIME, share=6 / len(rows))


def descending(users: IntArray) -> FloatArray:
    """Item 0 first, item 9 last."""
    return np.tile(-np.arange(10, dtype=np.float32), (len(users), 1))


def test_the_test_case_is_as_drawn() -> None:
    whole = holdout()
    assert (len(whole.train), len(whole.test)) == (13, 6)


def test_standard_slices() -> None:
    cold, few, head, tail = standard_slices(holdout())
    assert np.flatnonzero(cold.items).tolist() == [5, 6, 7, 8, 9]  # type: ignore[arg-type]
    assert few.users is not None
    assert few.users.tolist() == [True, True, True, False]
    # a fifth of the five items that were touched; items 0 and 3 lead with four and three events
    assert np.flatnonzero(head.items).tolist() == [0]  # type: ignore[arg-type]
    assert np.flatnonzero(tail.items).tolist() == [1, 2, 3, 4]  # type: ignore[arg-type]
    assert [part.name for part in (cold, few)] == ["cold items", "users with 5 events or fewer"]


def test_a_slice_of_items_counts_only_its_items_on_the_full_ranking() -> None:
    result = evaluate_holdout(descending, holdout(), k=2)
    # shown: u0 [2, 3], u1 [3, 4], u2 [1, 2], u3 [2, 5]
    assert result.rows.tolist() == [[2, 3], [3, 4], [1, 2], [2, 5]]
    cold, _, head, tail = (slice_result(result, part) for part in standard_slices(holdout()))
    assert (len(cold), cold.relevant_items) == (2, 2)
    assert cold.places.tolist() == [True, False, True, False]
    assert cold.per_user["recall"].tolist() == [0, 0]
    assert (len(tail), tail.relevant_items) == (4, 4)
    assert tail.per_user["recall"].tolist() == [1, 1, 1, 1]
    assert len(head) == 0
    assert head.per_user["recall"].tolist() == []


def test_a_slice_of_users_has_their_values_of_the_whole() -> None:
    result = evaluate_holdout(descending, holdout(), k=2)
    few = slice_result(result, standard_slices(holdout())[1])
    assert len(few) == 3
    for name, values in few.per_user.items():
        np.testing.assert_array_equal(values, result.per_user[name][:3])


def test_all_users_and_items_are_the_whole() -> None:
    result = evaluate_holdout(descending, holdout(), k=2)
    part = slice_result(result, Slice("all", np.ones(4, dtype=np.bool_), np.ones(10, dtype=np.bool_)))
    assert part.relevant_items == 6
    np.testing.assert_array_equal(part.per_user["ndcg"], result.per_user["ndcg"])


@pytest.mark.parametrize("method", [SplitMethod.STRONG, SplitMethod.RANDOM])
def test_a_model_is_folded_in_where_those_asked_are_strangers(method: SplitMethod) -> None:
    rows = [(f"u{user}", f"i{(user + step) % 10}", "view", 1.0, step) for user in range(20) for step in range(5)]
    whole = hold_out(pd.DataFrame(rows, columns=list(INTERACTION_COLUMNS)), ITEMS, method, share=0.4, seed=2)
    model = PopularityModel().fit(whole.train.matrix())
    expected = model.fold_in_scores(whole.history.matrix()[whole.users])
    np.testing.assert_array_equal(scorer(model, whole)(whole.users), expected)
    result = evaluate_holdout(model, whole, k=10)
    # what was folded in is known, so it is not shown again
    seen = whole.history.interaction_mask()[result.users].toarray()
    shown = np.zeros_like(seen)
    np.put_along_axis(shown, np.where(result.rows < 0, result.rows[:, :1], result.rows), True, axis=1)
    assert not (seen & shown).any()

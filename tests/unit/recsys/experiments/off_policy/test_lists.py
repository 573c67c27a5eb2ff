"""Lists: joined to events, weighted place by place, by hand and under a position-based model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys.errors import DataError
from recsys.experiments.off_policy.estimators import Estimator
from recsys.experiments.off_policy.lists import Lists, Ranking, build_ranking, evaluate_lists, position_weights

EXPOSURES = pd.DataFrame(
    {
        "request_id": ["r1", "r2", "r3"],
        "user_id": ["u1", None, "u1"],
        "items": [["a", "b"], ["b", "c"], ["a"]],
        "propensities": [[0.5, 0.25], [0.5, 0.5], [1.0]],
    }
)
EVENTS = pd.DataFrame(
    [
        ("r1", 1.0, "a", "click"),
        ("r1", 1.0, "a", "click"),
        ("r1", 2.0, "b", "view"),
        ("r2", 2.0, "c", "click"),
        ("r2", 1.0, "a", "click"),  # another item than was shown there
        ("r9", 1.0, "a", "click"),
        ("r3", np.nan, "a", "click"),
    ],
    columns=["request_id", "position", "item_id", "event"],
)
LISTS = Lists.from_tables(EXPOSURES, EVENTS)


def ranked(rows: list[tuple[Any, ...]]) -> Ranking:
    names = ["request_id", "position", "item_id", "probability"]
    return build_ranking(LISTS, pd.DataFrame(rows, columns=names[: len(rows[0])]))


def test_events_join_by_request_place_and_item() -> None:
    assert LISTS.requests.tolist() == [0, 0, 1, 1, 2]
    assert LISTS.positions.tolist() == [0, 1, 0, 1, 0]
    assert LISTS.rewards.tolist() == [1.0, 0.0, 0.0, 1.0, 0.0]
    assert LISTS.totals.tolist() == [1.0, 1.0, 0.0]
    # a session without an account is a person of its own
    assert len(set(LISTS.units.tolist())) == 2
    assert Lists.from_tables(EXPOSURES, EVENTS, "view").totals.tolist() == [1.0, 0.0, 0.0]


def test_by_hand() -> None:
    ranking = ranked([("r1", 1, "a"), ("r1", 2, "c"), ("r2", 1, "b"), ("r2", 2, "c"), ("r3", 1, "b")])
    assert ranking.shown.tolist() == [1.0, 0.0, 1.0, 1.0, 0.0]
    found = evaluate_lists(LISTS, ranking)
    # weights 2, 0, 2, 2, 0: clicks on the first place of r1 and the second of r2
    assert found.estimates[Estimator.IPS].value.value == pytest.approx((2.0 + 2.0) / 3)
    # place 1: 2 / 4, in all lists; place 2: 2 / 2, in two of three
    assert found.answer.value.value == pytest.approx(0.5 + 2 / 3)
    assert found.logged.value == pytest.approx(2 / 3)
    assert position_weights(LISTS, ranking) == pytest.approx([4 / 3, 1.0])
    # r3 was certain to show a, the new ranker would show b: one of five places
    assert found.support.untried == pytest.approx(1 / 5)


def test_a_ranker_that_explores_and_one_with_shorter_lists() -> None:
    rows = [("r1", 1, "a", 0.75), ("r1", 1, "z", 0.25), ("r2", 1, "b", 1.0), ("r3", 1, "a", 1.0)]
    ranking = ranked(rows)
    assert ranking.shown.tolist() == [0.75, 0.0, 1.0, 0.0, 1.0]
    assert ranking.any_.tolist() == [1.0, 0.0, 1.0, 0.0, 1.0]
    found = evaluate_lists(LISTS, ranking)
    assert found.support.decisions == 3
    assert found.answer.value.value == pytest.approx(1.5 / (1.5 + 2.0 + 1.0))


def test_what_is_stored_twice_counts_once_and_ambiguous_requests_not_at_all() -> None:
    twice = pd.concat([EXPOSURES, EXPOSURES.iloc[[0]]])
    assert Lists.from_tables(twice, EVENTS).totals.tolist() == [1.0, 1.0, 0.0]
    other = EXPOSURES.iloc[[0]].assign(items=[["x", "y"]])
    assert Lists.from_tables(pd.concat([EXPOSURES, other]), EVENTS).totals.tolist() == [1.0, 0.0]


def test_wrong_logs_are_refused() -> None:
    with pytest.raises(DataError, match=r"no column 'propensities'.*nothing can be evaluated"):
        Lists.from_tables(EXPOSURES.drop(columns="propensities"), EVENTS)
    with pytest.raises(DataError, match="1 lists have not as many propensities as items"):
        Lists.from_tables(EXPOSURES.assign(propensities=[[0.5], [0.5, 0.5], [1.0]]), EVENTS)
    with pytest.raises(DataError, match="1 are missing"):
        Lists.from_tables(EXPOSURES.assign(propensities=[[0.5, None], [0.5, 0.5], [1.0]]), EVENTS)
    with pytest.raises(DataError, match="no list"):
        Lists.from_tables(EXPOSURES.iloc[:0], EVENTS)


def test_wrong_rankings_are_refused() -> None:
    whole = [("r1", 1, "a"), ("r2", 1, "b"), ("r3", 1, "b")]
    with pytest.raises(DataError, match="lacks 1 of 3 logged requests"):
        ranked(whole[:2])
    with pytest.raises(DataError, match="twice in one position"):
        ranked([*whole, whole[0]])
    with pytest.raises(DataError, match="sum to 1 at most"):
        ranked([*whole, ("r1", 1, "c")])
    with pytest.raises(DataError, match="no overlap"):
        evaluate_lists(LISTS, ranked([(request, 1, "never") for request, _, _ in whole]))


def test_a_position_based_model_is_recovered() -> None:
    """Lists of 3 of 6 items in random order; a click needs a look at the place and liking for the item."""
    random = np.random.default_rng(8)
    looked, liked = np.array([0.9, 0.5, 0.3]), np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    n = 4_000
    orders = random.permuted(np.tile(np.arange(6), (n, 1)), axis=1)[:, :3]
    clicks = random.random((n, 3)) < looked * liked[orders]
    exposures = pd.DataFrame(
        {
            "request_id": [f"r{i}" for i in range(n)],
            "user_id": [f"u{i // 4}" for i in range(n)],
            "items": [[f"i{item}" for item in row] for row in orders],
            "propensities": [[1 / 6] * 3] * n,
        }
    )
    events = pd.DataFrame(
        [(f"r{i}", k + 1, f"i{orders[i, k]}", "click") for i, k in np.argwhere(clicks)],
        columns=["request_id", "position", "item_id", "event"],
    )
    lists = Lists.from_tables(exposures, events)
    table = pd.DataFrame(
        [(f"r{i}", k + 1, f"i{5 - k}") for i in range(n) for k in range(3)],
        columns=["request_id", "position", "item_id"],
    )
    found = evaluate_lists(lists, build_ranking(lists, table))
    truth = float((looked * liked[[5, 4, 3]]).sum())
    for one in found.estimates.values():
        assert one.value.low < truth < one.value.high
        assert one.value.value == pytest.approx(truth, rel=0.1)
    assert found.support.problems == ()
    assert found.answer.gain.low > 0.0
